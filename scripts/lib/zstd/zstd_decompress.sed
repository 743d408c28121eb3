# No module is compressed with a dictionary: that a frame asks for one is an error
# without it, too. Lines changed: 5
s/dctx->refMultipleDDicts == ZSTD_rmd_refMultipleDDicts && dctx->ddictSet/0/
/^size_t ZSTD_decompressMultiFrame/,/^}/ {
    s/^\( *\)if (ddict) {$/\1if (0) {/
    s/ZSTD_decompressBegin_usingDict(dctx, dict, dictSize)/ZSTD_decompressBegin(dctx)/
}
/^size_t ZSTD_decompressDCtx/,/^}/s/ZSTD_getDDict(dctx)/NULL/
