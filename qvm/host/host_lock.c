/* On all hosts; only the library (library/) has it. */
#include "qvm/host/host_lock.h"

#ifdef _WIN32
#include <windows.h>

static SRWLOCK lock = SRWLOCK_INIT;

void host_lock(void)
{
    AcquireSRWLockExclusive(&lock);
}

void host_unlock(void)
{
    ReleaseSRWLockExclusive(&lock);
}
#else
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void host_lock(void)
{
    pthread_mutex_lock(&lock);
}

void host_unlock(void)
{
    pthread_mutex_unlock(&lock);
}
#endif
