/* ms_binary.h: constants that lie in a file beside the C, as the assembler's .incbin takes them: large weights, which a compiler
 * would have to parse as text. gcc and clang, for ELF, Mach-O and PE; the file is found where the compiler runs and where -I says,
 * with -flto in MS_FOLDER alone: -DMS_FOLDER='"/where/it/is/"'.
 *
 *     MS_BINARY(name, "net.msn", offset, bytes)    defines the array `name`, which is declared elsewhere, at a multiple of 64
 *
 * Other compilers: `make arrays` writes the constants as C, and -DMS_ARRAYS takes those.
 */
#ifndef MS_BINARY_H
#define MS_BINARY_H

#if !defined __GNUC__
#error "this compiler has no .incbin: `make arrays` writes these constants as C, and -DMS_ARRAYS takes them"
#elif defined __BYTE_ORDER__ && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the file is little-endian: `make arrays` writes these constants as C, and -DMS_ARRAYS takes them"
#endif

#define MS_TEXT_(text) #text
#define MS_TEXT(text) MS_TEXT_(text)
#define MS_SYMBOL(name) MS_TEXT(__USER_LABEL_PREFIX__) MS_TEXT(name)

#if defined __APPLE__
#define MS_BEGIN(name) ".section __TEXT,__const\n"
#define MS_END "\n.previous\n"
#elif defined _WIN32
#define MS_BEGIN(name) ".section .rdata,\"dr\"\n"
#define MS_END "\n.text\n"
#else
#define MS_BEGIN(name) ".pushsection .rodata." MS_TEXT(name) ",\"a\",%progbits\n.type " MS_SYMBOL(name) ", %object\n"
#define MS_END "\n.popsection\n"
#endif

#ifndef MS_FOLDER
#define MS_FOLDER ""
#endif

#define MS_BINARY(name, file, offset, bytes)                                                                             \
    __asm__(MS_BEGIN(name) ".globl " MS_SYMBOL(name) "\n.balign 64\n" MS_SYMBOL(name) ":\n.incbin \"" MS_FOLDER file "\", " MS_TEXT(offset) \
            ", " MS_TEXT(bytes) MS_END);

#endif
