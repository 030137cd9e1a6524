#!/usr/bin/env bash
# door.sh BUILD_DIR: only qvm/host/host_*.c may ask the operating system for anything that differs
# from one run to the next: everything else must get it through the journal, or a replay would not
# see it; and for what not every host has, or the rest would not build there. Looks at what the
# objects of a build import. Prints each violation; silent without any.
set -uo pipefail
build="${1:?usage: tests/door.sh BUILD_DIR}"

clock='clock|clock_(gettime|getres|nanosleep)|time|times|ftime|gettimeofday|timespec_get
    nanosleep|usleep|sleep|alarm|setitimer|getitimer|timer_create|timerfd_create
    localtime|localtime_r|mktime|ctime|ctime_r|tzset'
random='rand|rand_r|srand|random|random_r|srandom|[delmnj]rand48|srand48|getrandom|getentropy
    arc4random|arc4random_uniform|arc4random_buf'
environment='getenv|secure_getenv|__secure_getenv|setenv|putenv|environ|__environ|setlocale
    uname|gethostname|sysconf|getauxval|getpid|getppid|getuid|geteuid|getcwd|getrusage|get_nprocs'
sockets='socket|socketpair|connect|bind|listen|accept|accept4|send|sendto|recv|recvfrom|recvmsg
    getaddrinfo|gethostbyname|pipe|pipe2'
threads='pthread_create|thrd_create|fork|vfork|clone|posix_spawnp?|system|popen|exec[lv]p?e?|dlopen
    signal|sigaction|raise|kill'
files='open(at)?(64)?|__open(at)?(64)?_2|creat(64)?|f?open(64)?|freopen(64)?|fdopen|tmpfile(64)?
    mkstemp|opendir|scandir|nftw|f?l?stat(64)?|__f?l?xstat(64)?|stat[fv]*s|access|realpath|readlink
    rename|remove|unlink|mkdir|rmdir|chdir'
terminal='stdin|getchar|getc_unlocked|gets|scanf|__isoc99_scanf|read|__read_chk|pread(64)?
    ioctl|tc[gs]etattr|isatty|p?poll|__p?poll_chk|p?select|epoll_wait'
# Neither in C nor everywhere, or not in every library that says it has C11 (aligned_alloc).
elsewhere='aligned_alloc|posix_memalign|memalign|valloc|mmap(64)?|munmap|mprotect|madvise|mlock|brk|sbrk
    strn?casecmp|strdup|strndup|strsep|strtok_r|stpn?cpy|strchrnul|memmem|mempcpy|strnlen|strsignal
    v?asprintf|v?dprintf|open_memstream|fmemopen|getline|getdelim|fileno|fseeko(64)?|ftello(64)?
    ffs|ffsll?|index|rindex|bcopy|bzero|bcmp|qsort_r|[hnlt]search|basename|dirname|getopt(_long)?
    syslog|openlog|write|__write_chk|pwrite(64)?|f?truncate(64)?|f?sync|dup[23]?|fcntl(64)?|close'
# Symbols an object may import all the same, as "object:symbol", each with its reason:
# - the engine's library asks this for its memory, where it is linked statically, which wants ELF
allowed='code_buffer.c.o:mmap'

forbidden="$(printf '%s\n' "$clock" "$random" "$environment" "$sockets" "$threads" "$files" \
    "$terminal" "$elsewhere" | tr -s ' \n' '|' | sed 's/|$//')"

objects=()
for folder in emu mmu cpu vdev hv; do
    objects+=("$build/libqvm_$folder.a")
done
while IFS= read -r object; do
    objects+=("$object")
done < <(find "$build"/CMakeFiles/{qvm.dir,qvm_library.dir/library} -name '*.o' ! -name 'host_*.c.o')

# Without objects there would be nothing to find.
if ! imports="$(nm -A -u -P "${objects[@]}")" || [ ${#objects[@]} -le 5 ]; then
    echo "door: cannot read the objects of $build"
    exit 2
fi

bad=0
# A line of nm: "libqvm_emu.a[hash.c.o]: memcpy U", or "path/main.c.o: memcpy U".
while read -r object symbol _; do
    object="${object%:}" object="${object##*/}"
    case " $allowed " in
    *" $object:$symbol "*) ;;
    *) echo "$object imports $symbol: only qvm/host/host_*.c may"; bad=1 ;;
    esac
done < <(grep -E ": _?($forbidden) [Uw]" <<<"$imports")
exit $bad
