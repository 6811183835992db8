#include "description.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static char *trimmed(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        text[--length] = '\0';
    return text;
}

static bool add(struct description *description, char *line)
{
    char *equals = strchr(line, '=');
    if (equals == NULL || description->lines == MOST_LINES)
        return false;
    *equals = '\0';
    const char *key = trimmed(line), *value = trimmed(equals + 1);
    if (strlen(key) >= LONGEST_KEY || strlen(value) >= LONGEST_VALUE)
        return false;
    strcpy(description->line[description->lines].key, key);
    strcpy(description->line[description->lines].value, value);
    description->lines++;
    return true;
}

bool description_read(struct description *description, const char *path)
{
    description->lines = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    char buffer[LONGEST_KEY + LONGEST_VALUE + 16];
    bool good = true;
    while (good && fgets(buffer, sizeof buffer, file) != NULL) {
        if (strchr(buffer, '\n') == NULL && !feof(file)) {
            good = false; /* longer than any line may be */
            break;
        }
        char *line = trimmed(buffer);
        if (*line != '\0' && *line != '#')
            good = add(description, line);
    }
    fclose(file);
    return good;
}

/* The number of stars with which a line's key means the wanted one; -1 if it does not. */
static int stars_to_match(const char *pattern, const char *key)
{
    int stars = 0;
    while (*pattern != '\0' && *key != '\0') {
        if (*pattern == '*' && isdigit((unsigned char)*key)) {
            stars++;
            pattern++;
            while (isdigit((unsigned char)*key))
                key++;
        } else if (*pattern++ != *key++) {
            return -1;
        }
    }
    return *pattern == *key ? stars : -1;
}

const char *description_find(const struct description *description, const char *key)
{
    const char *found = NULL;
    int fewest = -1;
    for (size_t i = 0; i < description->lines; i++) {
        int stars = stars_to_match(description->line[i].key, key);
        if (stars >= 0 && (fewest < 0 || stars <= fewest)) {
            fewest = stars;
            found = description->line[i].value;
        }
    }
    return found;
}
