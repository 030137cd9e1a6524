/* What `qvm replay --verify` adds to "the replay diverged": between which digests, and what differs
 * first at the first snapshot that the recording holds behind. */
#ifndef QVM_VERIFY_H
#define QVM_VERIFY_H

/* Replays the trace again, to compare; lines on standard error. */
void verify_explain(const char *path);

#endif
