/* libqvm in a few lines: runs a configuration to its end, and says what `qvm run` would say.
 *
 *     cc example.c $(pkg-config --cflags --libs libqvm) && ./a.out configs/hello-arm64.qvmconf */
#include <inttypes.h>
#include <qvm.h>
#include <stdio.h>

static void print(void *context, unsigned vm, const char *device, const void *data, size_t size)
{
    (void)context, (void)vm, (void)device;
    fwrite(data, 1, size, stdout);
}

int main(int argc, char **argv)
{
    struct qvm_error e = {0};
    char digest[QVM_DIGEST_SIZE];
    const struct qvm_options options = {.size = sizeof options, .callbacks.output = print};
    if (argc != 2)
        return fprintf(stderr, "usage: example NAME.qvmconf\n"), QVM_USAGE;
    struct qvm_machine *m = qvm_load_file(argv[1], &options, &e);
    if (!m)
        return fprintf(stderr, "%s\n", e.text), e.status;
    qvm_end_input(m);
    if (qvm_run(m, QVM_FOR_EVER, &e) == QVM_STOP_ERROR || !qvm_digest(m, digest, &e))
        return fprintf(stderr, "%s\n", e.text), e.status;
    int status = qvm_exit_status(m);
    printf("%s; %" PRIu64 " instructions, digest %s\n", qvm_ending(m, 0), qvm_instructions(m),
           digest);
    qvm_free(m);
    return status;
}
