/* Numbers of the configuration language.
 *
 *   address   hexadecimal unless prefixed     0x and 0d choose the base; K, M, G (or k, m, g) after
 *   length    decimal unless prefixed         the digits multiply by 1024, 1024^2, 1024^3 and make
 *   plain     decimal unless prefixed         unprefixed digits decimal; plain numbers take none
 */
#ifndef HV_CONFIG_NUMBERS_H
#define HV_CONFIG_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

enum number_kind { NUMBER_PLAIN, NUMBER_ADDRESS, NUMBER_LENGTH };
enum number_result { NUMBER_OK, NUMBER_MALFORMED, NUMBER_OVERFLOW };

/* The whole text must be one number. */
enum number_result number_parse(const char *text, size_t size, enum number_kind kind,
                                uint64_t *value);
/* "an address", "a length", "a number". */
const char *number_kind_name(enum number_kind kind);

/* A piece of a comma-separated argument. */
struct piece {
    const char *text; /* borrowed, not terminated */
    size_t size;
};
/* Cuts the piece before the next `separator` off the front of `rest`; at the end of the text
 * rest->text becomes NULL. */
struct piece piece_next(struct piece *rest, char separator);

/* `start,length`; exactly one comma. */
enum number_result number_pair(struct piece text, uint64_t *start, uint64_t *length);

#endif
