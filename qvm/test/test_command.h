/* `qvm test [DIR|FILE...]`: every test below the folders, and those files, each in a process of its
 * own; docs/testing.md. */
#ifndef QVM_TEST_TEST_COMMAND_H
#define QVM_TEST_TEST_COMMAND_H

extern const char test_usage[];
/* `words` are those behind the command. Exit status 0: all passed; 1: some failed; 2: usage; 65: a
 * file is no test. */
int test_command(char *const *words, int count);

#endif
