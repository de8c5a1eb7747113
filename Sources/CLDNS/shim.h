// stdbool.h first: otherwise every bool of ldns is imported as Int8.
#include <stdbool.h>
#include <ldns/ldns.h>
