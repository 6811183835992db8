#include <stdio.h>
#include <string.h>

#include "encoding.h"
#include "harness.h"

static const char *decoded(const char *text)
{
	static char to[64];

	if (encoding_decode(text, strlen(text), to, sizeof(to)) < 0)
		return "refused";
	return to;
}

static void every_byte_has_one_writing(void)
{
	for (int byte = 1; byte < 256; ++byte) {
		char text[2] = { (char)byte, '\0' }, encoded[8], back[8];
		bool is_control = byte < 0x20 || byte == 0x7f;

		encoding_encode(text, encoded);
		CHECK(encoding_decode(encoded, strlen(encoded), back, sizeof(back)) ==
		      (is_control ? -1 : 1));
		if (!is_control)
			CHECK_TEXT(back, text);
		if (encoding_is_plain(text, 1)) {
			CHECK_TEXT(encoded, text);
			snprintf(encoded, sizeof(encoded), "%%%02X", byte);
			CHECK_TEXT(decoded(encoded), "refused");
		} else {
			CHECK_TEXT(decoded(text), "refused");
		}
	}
}

void test_encoding(void)
{
	char room[4];
	uint64_t number;

	every_byte_has_one_writing();
	CHECK_TEXT(decoded("a%20b%C3%A4"), "a b\303\244");
	CHECK_TEXT(decoded(""), "");
	CHECK_TEXT(decoded("%2"), "refused");
	CHECK_TEXT(decoded("%"), "refused");
	CHECK_TEXT(decoded("%c3"), "refused");
	CHECK_TEXT(decoded("%00"), "refused");
	CHECK_TEXT(decoded("%0A"), "refused");
	CHECK(encoding_decode("abc", 3, room, 4) == 3);
	CHECK(encoding_decode("abcd", 4, room, 4) == -1);
	CHECK(encoding_decode("", 0, room, 0) == -1);
	CHECK(encoding_decode("a\0b", 3, room, 4) == -1);

	CHECK(encoding_number("0", 1, 5, &number) && number == 0);
	CHECK(encoding_number("5", 1, 5, &number) && number == 5);
	CHECK(!encoding_number("6", 1, 5, &number));
	CHECK(!encoding_number("", 0, 5, &number));
	CHECK(!encoding_number("00", 2, 5, &number));
	CHECK(!encoding_number("01", 2, 5, &number));
	CHECK(!encoding_number("-1", 2, 5, &number));
	CHECK(!encoding_number("1 ", 2, 50, &number));
	CHECK(!encoding_number("99999999999999999999", 20, UINT64_MAX, &number));
	CHECK(encoding_number("9007199254740991", 16, UINT64_MAX, &number) &&
	      number == UINT64_C(9007199254740991));

	CHECK(encoding_is_path("/a"));
	CHECK(encoding_is_path("/a/..b/.c/d..."));
	CHECK(!encoding_is_path(""));
	CHECK(!encoding_is_path("/"));
	CHECK(!encoding_is_path("a/b"));
	CHECK(!encoding_is_path("/a/"));
	CHECK(!encoding_is_path("/a//b"));
	CHECK(!encoding_is_path("/a/./b"));
	CHECK(!encoding_is_path("/a/.."));
	CHECK(!encoding_is_path("/../a"));
}
