/* Numbers as the configuration language writes them, for everybody who reads its words.
 *
 *   address   hexadecimal unless prefixed     0x and 0d choose the base; K, M, G (or k, m, g) after
 *   length    decimal unless prefixed         the digits multiply by 1024, 1024^2, 1024^3 and make
 *   plain     decimal unless prefixed         unprefixed digits decimal; plain numbers take none
 */
#ifndef EMU_NUMBER_H
#define EMU_NUMBER_H

#include <stddef.h>
#include <stdint.h>

enum number_kind { NUMBER_PLAIN, NUMBER_ADDRESS, NUMBER_LENGTH };
enum number_result { NUMBER_OK, NUMBER_MALFORMED, NUMBER_OVERFLOW };

/* The whole text must be one number. */
enum number_result number_parse(const char *text, size_t size, enum number_kind kind,
                                uint64_t *value);
/* "an address", "a length", "a number". */
const char *number_kind_name(enum number_kind kind);

#endif
