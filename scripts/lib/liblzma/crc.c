/* CRC32 and CRC64 in place of liblzma's: one loop for both, four bytes at a time, and
 * tables that are made when they are first needed and take no room in the file. */

#include <string.h>

#include "check.h"

/* Row n is for a byte that n others follow. */
#define ROW 256
typedef uint64_t table[4 * ROW];

static table crc32_table, crc64_table;

static void make(uint64_t *table, uint64_t polynomial)
{
	for (unsigned byte = 0; byte < ROW; byte++) {
		uint64_t crc = byte;
		for (unsigned bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (-(crc & 1) & polynomial);
		table[byte] = crc;
	}
	for (unsigned at = ROW; at < 4 * ROW; at++) {
		uint64_t crc = table[at - ROW];
		table[at] = (crc >> 8) ^ table[crc & 0xff];
	}
}

/* Files are decompressed in several threads: one makes the tables, and the others that
 * come meanwhile wait those few microseconds. */
static void make_tables(void)
{
	enum { NOT_YET, BEGUN, MADE };
	static int state = NOT_YET;
	int expected = NOT_YET;

	if (__atomic_load_n(&state, __ATOMIC_ACQUIRE) == MADE)
		return;
	if (__atomic_compare_exchange_n(&state, &expected, BEGUN, 0, __ATOMIC_RELAXED,
			__ATOMIC_RELAXED)) {
		make(crc32_table, UINT32_C(0xEDB88320));
		make(crc64_table, UINT64_C(0xC96C5795D7870F42));
		__atomic_store_n(&state, MADE, __ATOMIC_RELEASE);
	}
	while (__atomic_load_n(&state, __ATOMIC_ACQUIRE) != MADE)
		;
}

static uint64_t update(const uint64_t *table, const uint8_t *bytes, size_t count, uint64_t crc)
{
	for (; count >= 4; count -= 4, bytes += 4) {
		uint32_t word = (uint32_t)crc ^ bytes[0] ^ (uint32_t)bytes[1] << 8
				^ (uint32_t)bytes[2] << 16 ^ (uint32_t)bytes[3] << 24;
		crc = (crc >> 32) ^ table[3 * ROW + (word & 0xff)]
				^ table[2 * ROW + (word >> 8 & 0xff)]
				^ table[ROW + (word >> 16 & 0xff)] ^ table[word >> 24];
	}
	for (; count > 0; count--, bytes++)
		crc = (crc >> 8) ^ table[(crc ^ *bytes) & 0xff];
	return crc;
}

extern LZMA_API(uint32_t)
lzma_crc32(const uint8_t *bytes, size_t count, uint32_t crc)
{
	make_tables();
	return ~(uint32_t)update(crc32_table, bytes, count, (uint32_t)~crc);
}

extern LZMA_API(uint64_t)
lzma_crc64(const uint8_t *bytes, size_t count, uint64_t crc)
{
	make_tables();
	return ~update(crc64_table, bytes, count, ~crc);
}
