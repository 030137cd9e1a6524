"""Machines of the qvm emulator in Python: libqvm (include/qvm.h) through ctypes.

    import qvm
    with qvm.Machine('configs/hello-arm64.qvmconf') as m:
        m.run()
        print(m.printed().decode(), m.ending(), m.digest())

The library is $QVM_LIBRARY, or libqvm.so.0 where the system finds libraries. Whatever it refuses is
an Error with the library's sentence and status. A machine is for one thread at a time; others may
use theirs meanwhile: the interpreter's lock is free while one runs."""
import ctypes
import enum
import os

FOR_EVER = 2 ** 64 - 1
PHYSICAL, VIRTUAL = range(2)
READ, WRITE, FETCH = range(3)


class Stop(enum.IntEnum):
    """Why a run stopped."""
    ERROR, END, INSTRUCTION, TEXT, EXIT, ASKED, WAITS = range(7)


class Error(Exception):
    """What the library refused: its sentence, and the status that `qvm run` ends with then."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class _Error(ctypes.Structure):
    _fields_ = [('status', ctypes.c_int), ('text', ctypes.c_char * 1024)]


class _Register(ctypes.Structure):
    _fields_ = [('low', ctypes.c_uint64), ('high', ctypes.c_uint64)]


class _Exit(ctypes.Structure):
    _fields_ = [('vm', ctypes.c_uint), ('vcpu', ctypes.c_uint), ('reason', ctypes.c_char_p),
                ('handler', ctypes.c_char_p), ('instructions', ctypes.c_uint64), ('pc', ctypes.c_uint64),
                ('virtual_address', ctypes.c_uint64), ('guest_physical', ctypes.c_uint64),
                ('value', ctypes.c_uint64), ('size', ctypes.c_uint), ('is_write', ctypes.c_bool)]


class Exit:
    """A guest exit: the members of struct qvm_exit, texts as str."""

    def __init__(self, x):
        for name, kind in _Exit._fields_:
            value = getattr(x, name)
            setattr(self, name, value.decode() if kind is ctypes.c_char_p else value)

    def __repr__(self):
        return 'Exit(%s)' % ', '.join('%s=%r' % item for item in vars(self).items())


_OUTPUT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t)
_EXIT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.POINTER(_Exit))
_LOG = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint, ctypes.c_char_p, ctypes.c_char_p)
_FILE = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p,
                         ctypes.c_size_t)


class _Callbacks(ctypes.Structure):
    _fields_ = [('output', _OUTPUT), ('guest_exit', _EXIT), ('log', _LOG), ('file', _FILE),
                ('context', ctypes.c_void_p)]


class _Options(ctypes.Structure):
    _fields_ = [('size', ctypes.c_size_t), ('limit_instructions', ctypes.c_uint64), ('limit_ns', ctypes.c_uint64),
                ('wall_clock_s', ctypes.c_uint64), ('entropy_seed', ctypes.c_uint64),
                ('board_file', ctypes.c_char_p), ('callbacks', _Callbacks)]


class _Words(ctypes.Structure):
    _fields_ = [('words', ctypes.POINTER(ctypes.c_char_p)), ('count', ctypes.c_size_t)]


def _open_library():
    """The library, with the types of its functions: result, then parameters."""
    lib = ctypes.CDLL(os.environ.get('QVM_LIBRARY', 'libqvm.so.0'))
    handle, error, text, number, size, wide = (ctypes.c_void_p, ctypes.POINTER(_Error), ctypes.c_char_p,
                                               ctypes.c_uint, ctypes.c_size_t, ctypes.c_uint64)
    boolean, register = ctypes.c_bool, ctypes.POINTER(_Register)
    place = (handle, number, number, number, wide)
    types = {
        'version': (text,), 'runs_guests': (boolean,),
        'load': (handle, ctypes.POINTER(_Words), size, ctypes.POINTER(_Options), error), 'free': (None, handle),
        'run': (number, handle, wide, error), 'run_to_text': (number, handle, text, wide, error),
        'run_to_exit': (number, handle, wide, error), 'stop': (None, handle),
        'input': (boolean, handle, number, text, text, size, error), 'end_input': (None, handle),
        'instructions': (wide, handle), 'time_ns': (wide, handle), 'exit_status': (ctypes.c_int, handle),
        'ending': (text, handle, number), 'digest': (boolean, handle, text, error),
        'vm_count': (number, handle), 'vcpu_count': (number, handle, number),
        'read_memory': (boolean, *place, ctypes.c_void_p, size, error),
        'write_memory': (boolean, *place, text, size, error),
        'register_name': (text, handle, number, number),
        'read_register': (boolean, handle, number, number, text, register, error),
        'write_register': (boolean, handle, number, number, text, register, error),
        'explain': (size, handle, number, number, number, number, wide, boolean, text, size, error),
        'snapshot_take': (handle, handle, error), 'snapshot_restore': (boolean, handle, handle, error),
        'snapshot_free': (None, handle),
    }
    for name, (result, *parameters) in types.items():
        function = getattr(lib, 'qvm_' + name)
        function.restype, function.argtypes = result, parameters
    return lib


_library = _open_library()


def version():
    return _library.qvm_version().decode()


def runs_guests():
    return _library.qvm_runs_guests()


def _ask(function, *arguments):
    """Calls a function that takes an error last; 0, False and NULL are one."""
    e = _Error()
    result = function(*arguments, ctypes.byref(e))
    if not result:
        raise Error(e.status, e.text.decode('utf-8', 'replace'))
    return result


class Snapshot:
    """The state of a machine, as Machine.snapshot gives it."""

    def __init__(self, handle):
        self._handle = handle

    def __del__(self):
        if self._handle and _library:
            _library.qvm_snapshot_free(self._handle)
            self._handle = None


class Machine:
    """A board with VMs on it. Each of `vms` is the name of a configuration's file, or a list of words of
    the language (text, '@FILE'). `on_output(vm, device, data)`, `on_exit(exit)` and `on_log(vm, severity,
    line)` are called while it runs, and may call stop(). What they raise stops the run, which raises it."""

    def __init__(self, *vms, on_output=None, on_exit=None, on_log=None, on_file=None, board=None, **options):
        self._opened = None
        self._raised = None
        self._printed = {}
        self._on_output, self._on_exit, self._on_log, self._on_file = on_output, on_exit, on_log, on_file
        self._options = self._make_options(board, options)
        words = [[('@' + vm)] if isinstance(vm, str) else list(vm) for vm in vms]
        arrays = [(ctypes.c_char_p * len(w))(*(word.encode() for word in w)) for w in words]
        list_of_vms = (_Words * len(words))(*((a, len(a)) for a in arrays))
        self._opened = _ask(_library.qvm_load, list_of_vms, len(words), ctypes.byref(self._options))

    def _make_options(self, board, options):
        o = _Options(size=ctypes.sizeof(_Options), board_file=board and board.encode(), **options)
        o.callbacks.output = _OUTPUT(self._output)
        o.callbacks.log = _LOG(self._log) if self._on_log else _LOG()
        o.callbacks.guest_exit = _EXIT(self._guest_exit) if self._on_exit else _EXIT()
        o.callbacks.file = _FILE(self._file) if self._on_file else _FILE()
        return o

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.close()

    def close(self):
        """Nothing but this, stop() and printed() can be done with it from then on."""
        if self._opened:
            _library.qvm_free(self._opened)
        self._opened = None

    @property
    def _handle(self):
        """For the library, which does not look whether it is NULL."""
        if not self._opened:
            raise Error(2, 'the machine is closed')
        return self._opened

    def _call(self, callback, *arguments):
        try:
            return callback(*arguments)
        except BaseException as e:  # no exception gets through C
            self._raised = self._raised or e
            self.stop()
            return None

    def _output(self, _, vm, device, data, size):
        piece = ctypes.string_at(data, size)
        self._printed.setdefault(vm, bytearray()).extend(piece)
        if self._on_output:
            self._call(self._on_output, vm, device.decode(), piece)

    def _guest_exit(self, _, x):
        self._call(self._on_exit, Exit(x.contents))

    def _log(self, _, vm, severity, line):
        self._call(self._on_log, vm, severity.decode(), line.decode('utf-8', 'replace'))

    def _file(self, _, folder, name, data, size):
        return bool(self._call(self._on_file, folder and folder.decode(), name.decode('utf-8', 'replace'),
                               ctypes.string_at(data, size)))

    def _run(self, function, *arguments):
        handle, self._raised = self._handle, None
        try:
            return Stop(_ask(function, handle, *arguments))
        finally:
            if self._raised:
                raise self._raised

    def run(self, instructions=FOR_EVER):
        """Until so many have been executed in all, or something else stops it: says what."""
        return self._run(_library.qvm_run, instructions)

    def run_to_text(self, text, instructions=FOR_EVER):
        return self._run(_library.qvm_run_to_text, text.encode(), instructions)

    def run_to_exit(self, instructions=FOR_EVER):
        return self._run(_library.qvm_run_to_exit, instructions)

    def stop(self):
        if self._opened:
            _library.qvm_stop(self._opened)

    def input(self, data, vm=0, device=None):
        data = data.encode() if isinstance(data, str) else bytes(data)
        _ask(_library.qvm_input, self._handle, vm, device and device.encode(), data, len(data))

    def end_input(self):
        _library.qvm_end_input(self._handle)

    def printed(self, vm=0):
        """All that the VM's consoles have printed so far, as bytes."""
        return bytes(self._printed.get(vm, b''))

    @property
    def instructions(self):
        return _library.qvm_instructions(self._handle)

    @property
    def time_ns(self):
        return _library.qvm_time_ns(self._handle)

    @property
    def exit_status(self):
        """None: it has not ended."""
        status = _library.qvm_exit_status(self._handle)
        return None if status < 0 else status

    def ending(self, vm=0):
        text = _library.qvm_ending(self._handle, vm)
        return None if text is None else text.decode('utf-8', 'replace')

    def digest(self):
        text = ctypes.create_string_buffer(65)
        _ask(_library.qvm_digest, self._handle, text)
        return text.value.decode()

    @property
    def vcpu_counts(self):
        """Of each VM."""
        return [_library.qvm_vcpu_count(self._handle, vm) for vm in range(_library.qvm_vm_count(self._handle))]

    def read(self, address, size, space=PHYSICAL, vm=0, vcpu=0):
        to = ctypes.create_string_buffer(size)
        _ask(_library.qvm_read_memory, self._handle, vm, vcpu, space, address, to, size)
        return to.raw

    def write(self, address, data, space=PHYSICAL, vm=0, vcpu=0):
        _ask(_library.qvm_write_memory, self._handle, vm, vcpu, space, address, bytes(data), len(data))

    def register_names(self, vm=0):
        names = []
        while name := _library.qvm_register_name(self._handle, vm, len(names)):
            names.append(name.decode())
        return names

    def register(self, name, vm=0, vcpu=0):
        value = _Register()
        _ask(_library.qvm_read_register, self._handle, vm, vcpu, name.encode(), ctypes.byref(value))
        return value.high << 64 | value.low

    def set_register(self, name, value, vm=0, vcpu=0):
        halves = _Register(value & FOR_EVER, value >> 64)
        _ask(_library.qvm_write_register, self._handle, vm, vcpu, name.encode(), ctypes.byref(halves))

    def explain(self, address, space=VIRTUAL, access=READ, json=False, vm=0, vcpu=0):
        text = ctypes.create_string_buffer(65536)
        _ask(_library.qvm_explain, self._handle, vm, vcpu, space, access, address, json, text, len(text))
        return text.value.decode('utf-8', 'replace')

    def snapshot(self):
        return Snapshot(_ask(_library.qvm_snapshot_take, self._handle))

    def restore(self, snapshot):
        _ask(_library.qvm_snapshot_restore, self._handle, snapshot._handle)
