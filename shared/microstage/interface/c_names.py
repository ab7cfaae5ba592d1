"""Names of graphs as identifiers of C: those that are written, and those that a reader of written C looks for.

What a tensor is called is anything; what it is called in C is unique in its place, at most 40 characters long, and
neither a word of C or C++, nor a macro, type or function of their libraries, nor what compilers define unasked
(`linux`, `unix`, `i386`). Names without a small letter are macros in somebody's header (`I`, `NULL`, `A0`, `OUTPUT`):
they are never used as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from hashlib import sha256

__all__ = ["NETWORK_NAMES", "Names", "identifier", "is_network_name", "network_name", "part_name", "unique"]

_LONGEST = 40
_MATHEMATICS = (
    "acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp2 expm1 fabs fdim floor fma"
    " fmax fmin fmod frexp hypot ilogb ldexp lgamma llrint llround log log10 log1p log2 logb lrint lround modf nan"
    " nearbyint nextafter nexttoward pow remainder remquo rint round scalbln scalbn sin sinh sqrt tan tanh tgamma trunc"
    " abs arg conj imag proj real j0 j1 jn y0 y1 yn drem exp10 gamma pow10 significand sincos"
).split()
_WORDS = (
    # C and C++
    "alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl concept const const_cast"
    " consteval constexpr constinit continue co_await co_return co_yield decltype default delete do double dynamic_cast"
    " else enum explicit export extern false final float for friend goto if import inline int long module mutable"
    " namespace new noexcept not not_eq nullptr operator or or_eq override private protected public register"
    " reinterpret_cast requires restrict return short signed sizeof static static_assert static_cast struct switch"
    " template this thread_local throw true try typedef typeid typename typeof union unsigned using virtual void"
    " volatile wchar_t while xor xor_eq"
    # macros that compilers and old systems define
    " arm avr cdecl complex far fortran huge hyper i386 imaginary interface interrupt linux m68k mips near pascal pixel"
    " ppc riscv small sparc sun unix vax vector"
    # the C library
    " abort accept access alarm alloca asctime assert atexit atof atoi atol atoll basename bcmp bcopy bind brk bsearch"
    " btowc bzero calloc chdir chmod chown clearerr clock close connect creat ctime daemon difftime dirname div dup"
    " dup2 endpwent environ erand48 err errno errx execv exit fclose feclearexcept fegetround feof ferror fflush ffs"
    " fgetc fgetpos fgets fgetwc fileno fopen fork fpclassify fprintf fputc fputs fread free freopen fscanf fseek"
    " fsetpos fsync ftell ftime ftw fwide fwrite gcvt getc getchar getcwd getenv getline getopt getpid gets"
    " gettimeofday getw gmtime index initstate ioctl isalnum isalpha isascii isblank iscntrl isdigit isfinite isgraph"
    " isgreater isinf isless islower isnan isnormal isprint ispunct isspace isupper isxdigit jrand48 kill labs lcong48"
    " ldiv link listen llabs lldiv localeconv localtime lockf longjmp lrand48 lseek lstat main malloc"
    " malloc_usable_size mblen mbrlen mbrtowc mbsinit mbtowc memccpy memchr memcmp memcpy memmem memmove memory mempcpy"
    " memset mkdir mktemp mktime mmap mrand48 munmap nanosleep nice offsetof open optarg opterr optind optopt pause"
    " perror pipe poll popen printf ptrdiff_t putc putchar putenv puts putw qsort raise rand rand_r random read readv"
    " realloc recv regex remove rename rewind rindex rmdir sbrk scanf seed48 select semaphore send setbuf setenv setjmp"
    " setlocale setstate setvbuf shutdown sigaction signal signbit signgam size_t sleep snprintf socket sprintf srand"
    " srandom sscanf stat stderr stdin stdout stpcpy strcasecmp strcat strchr strcmp strcoll strcpy strcspn strdup"
    " strerror strftime strlen strncat strncmp strncpy strndup strnlen strpbrk strrchr strsep strsignal strspn strstr"
    " strtod strtof strtok strtol strtoll strtoul strtoull strxfrm swab symlink sync system tempnam time timezone"
    " tmpfile tmpnam toascii tolower toupper truncate tzname tzset ungetc unlink usleep utime va_arg va_copy va_end"
    " va_list va_start valloc vfork vfprintf vprintf vsnprintf vsprintf wait warn wcscat wcschr wcscmp wcscpy wcslen"
    " wcstod wctob write"
    # what written functions call their own arguments, variables and helpers
    " above are_numbers away_from_zero below ctx gain gain_of i level memory nearest nearest_half_down nearest_half_up"
    " reached rest state status step steps towards_zero value whole"
).split()
_WIDTHS = ("max", "ptr", *(f"{way}{bits}" for way in ("", "_least", "_fast") for bits in (8, 16, 32, 64)))
_TYPES = {f"{sign}int{width}_t" for sign in ("", "u") for width in _WIDTHS}
_RESERVED = {
    *_WORDS,
    *_TYPES,
    *(start + name + end for name in _MATHEMATICS for start in ("", "c") for end in ("", "f", "l")),
}

_HEADERS = (
    "algorithm alloca arduino array assert bit byteswap complex core cpuid cstdint cstdlib ctype deque elf endian errno"
    " features fenv float freertos functional inttypes iostream iso646 limits link list locale map math memory new"
    " numeric poll print pthread queue ratio regex sched search semaphore server set setjmp signal span spawn spi stack"
    " stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn stream string strings syslog termios"
    " tgmath thread threads time tuple uchar unistd utime utility values variant vector version wait wchar wctype wire"
)
_TARGETS = (
    "all bench check clean debug depend edit_cache experimental flash general help install library nightly optimized"
    " package package_source rebuild_cache run selftest test timing uninstall zero_check"
)
_LIBRARIES = "anl atomic c crypt dl g gcc gloss gomp m nosys pthread rdimon resolv rt supc stdcxx util z"
_PREFIXES = "e err esp fr hal ll ms"
"Whose <PREFIX>_OK, or functions, somebody else has: Espressif's, ST's, FatFs', our kernels'."
_DEVICES = ["con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))]
_NO_NETWORK = {*f"{_HEADERS} {_TARGETS} {_LIBRARIES} {_PREFIXES}".split(), *_DEVICES}
"What no network may be called, beside words of C: its name is that of headers, of libraries, of targets of a build."


_OF_EVERY_NETWORK = (
    "arena class classes ctx features follow infer kernels push reset settle sound state status stream weights".split()
)
"What functions, types and files of every network are called behind its name, or begin with."

NETWORK_NAMES = (
    "a name for C such as ecg, of at most 40 letters, digits and single underscores, a letter first, "
    "that no keyword, header, library or build target has"
)


def identifier(text: str) -> str:
    """Return `text` as a C identifier.

    A long one, as exporters write them, is cut and told apart by a digest of the whole.
    """
    name = _plain(text)
    return _cut(f"v_{name}" if name in _RESERVED or name[0].isdigit() or name == name.upper() else name, text)


def part_name(text: str) -> str:
    """Return `text` as what follows a network's name and an underscore.

    Words of C are free there: `ecg_step`, but not `ecg_infer`.
    """
    name = _plain(text)
    return _cut(f"v_{name}" if name.split("_")[0] in _OF_EVERY_NETWORK else name, text)


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "_", text, flags=re.ASCII).strip("_") or "value"


def _cut(name: str, text: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 9]}_{sha256(text.encode()).hexdigest()[:8]}"


class Names:
    """Identifiers for one place in C, each given once.

    All that has file scope in the C of a network begins with `<network>_` or `ms_`; with `network` given, no name here
    does.
    """

    def __init__(self, network: str = "") -> None:
        self._global = (f"{network}_", "ms_") if network else ()
        self._used: set[str] = set()

    def fresh(self, text: str) -> str:
        """Return the identifier of `text`, or the first with a number behind it that is free."""
        first = identifier(text)
        first = f"v_{first}" if first.startswith(self._global) else first
        name, count = first, 1
        while name in self._used:
            count += 1
            name = f"{first}_{count}"
        self._used.add(name)
        return name

    def arguments(self, inputs: Sequence[str], outputs: Sequence[str]) -> tuple[list[str], list[str]]:
        """Return what a function calls its `inputs` and its `outputs`, each in the order given.

        Names are chosen for the inputs first, and on each side by the alphabet: the order in which a file lists them
        has no say in it.
        """
        taken, made = ({text: self.fresh(text) for text in sorted(side)} for side in (inputs, outputs))
        return [taken[text] for text in inputs], [made[text] for text in outputs]


def unique(texts: Iterable[str], network: str = "") -> list[str]:
    """Return an identifier for each of `texts`, in order.

    Of two that would be one, the second has a number behind it.
    """
    names = Names(network)
    return [names.fresh(text) for text in texts]


def is_network_name(text: str) -> bool:
    """Tell whether functions, files and targets may be called so.

    Letters, digits and single underscores, a letter first, at most 40, and nothing that has a meaning in C, in its
    libraries or in a build.
    """
    plain = re.fullmatch(r"[A-Za-z](_?[A-Za-z0-9])*", text) and len(text) <= _LONGEST
    taken = text.lower() in _RESERVED | _NO_NETWORK or text.lower().startswith("arduino")  # which are Arduino's own
    return bool(plain) and not taken


def network_name(text: str) -> str:
    """Return `text`, the stem of a file or the name of a model, as the name of a network."""
    name = _plain(text.lower())
    return _cut(name if is_network_name(_cut(name, text)) else f"net_{name}", text)
