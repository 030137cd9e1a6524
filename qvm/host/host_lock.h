/* A lock of the whole process, for whoever uses this program's parts in several threads. */
#ifndef QVM_HOST_HOST_LOCK_H
#define QVM_HOST_HOST_LOCK_H

/* Waits until no other thread has it. Whoever has it must not ask again. */
void host_lock(void);
void host_unlock(void);

#endif
