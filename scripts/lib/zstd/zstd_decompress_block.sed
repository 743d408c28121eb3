# The literals of a block, at most 128 KB, always fit in a buffer of that size, as
# ZSTD_DECODER_INTERNAL_BUFFER makes it: a second decoder of sequences, for literals
# that are split between that buffer and the output, is never called. It takes 6 KB.
# Lines changed: 10
s/dctx->litBufferLocation == ZSTD_split/0/
