/* liblzma as the static binary has it, in place of the config.h of the liblzma-sys
 * crate: what .ko.xz files are made with, which is what the kernel's own decoder
 * knows, and CRC64. Decoders for LZMA2 and for the branches of one architecture; no
 * SHA-256, LZMA1 or delta, and no encoder. */

#define HAVE_STDINT_H 1
#define HAVE_STDBOOL_H 1
#define HAVE_STRING_H 1
#define _POSIX_C_SOURCE 199506L

#define HAVE_DECODER_LZMA2 1
#if defined(__x86_64__)
#define HAVE_DECODER_X86 1
#elif defined(__aarch64__)
#define HAVE_DECODER_ARM64 1
#elif defined(__arm__)
#define HAVE_DECODER_ARM 1
#define HAVE_DECODER_ARMTHUMB 1
#endif

#define HAVE_CHECK_CRC32 1
#define HAVE_CHECK_CRC64 1

/* One loop that can stop at any byte, and not a second, unrolled one beside it: 7 KB. */
#define HAVE_SMALL 1
