#include "encoding.h"

#include <string.h>

static bool stands_for_itself(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("_.-~/:@+=,", c) != NULL);
}

bool encoding_is_plain(const char *text, size_t size)
{
	for (size_t i = 0; i < size; ++i) {
		if (!stands_for_itself(text[i]))
			return false;
	}
	return true;
}

static int hexadecimal(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int encoding_decode(const char *text, size_t size, char *to, size_t room)
{
	size_t length = 0;

	for (size_t i = 0; i < size; ++length) {
		unsigned char byte = (unsigned char)text[i];

		if (length + 1 >= room)
			return -1;
		if (stands_for_itself(text[i])) {
			i += 1;
		} else {
			int high = -1, low = -1;

			if (byte == '%' && size - i >= 3) {
				high = hexadecimal(text[i + 1]);
				low = hexadecimal(text[i + 2]);
			}
			if (high < 0 || low < 0)
				return -1;
			byte = (unsigned char)(high * 16 + low);
			if (byte < 0x20 || byte == 0x7f || stands_for_itself((char)byte))
				return -1;
			i += 3;
		}
		to[length] = (char)byte;
	}
	if (room == 0)
		return -1;
	to[length] = '\0';
	return (int)length;
}

void encoding_encode(const char *text, char *to)
{
	static const char digits[] = "0123456789ABCDEF";

	for (; *text != '\0'; ++text) {
		if (stands_for_itself(*text)) {
			*to++ = *text;
		} else {
			*to++ = '%';
			*to++ = digits[(unsigned char)*text / 16];
			*to++ = digits[(unsigned char)*text % 16];
		}
	}
	*to = '\0';
}

bool encoding_number(const char *text, size_t size, uint64_t most, uint64_t *value)
{
	uint64_t number = 0;

	if (size == 0 || size > 19 || (size > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < size; ++i) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		number = number * 10 + (uint64_t)(text[i] - '0');
	}
	if (number > most)
		return false;
	*value = number;
	return true;
}

bool encoding_is_path(const char *path)
{
	if (path[0] != '/')
		return false;
	while (*path == '/') {
		size_t size = strcspn(path + 1, "/");

		if (size == 0 || (size == 1 && path[1] == '.') ||
		    (size == 2 && path[1] == '.' && path[2] == '.'))
			return false;
		path += 1 + size;
	}
	return true;
}
