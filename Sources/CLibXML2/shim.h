// Debian's libxml2 names ICU's headers, which are not those of Swift's Foundation; only callers that convert
// character sets themselves need them.
#include <libxml/xmlversion.h>
#undef LIBXML_ICU_ENABLED

#include <libxml/parser.h>
#include <libxml/relaxng.h>
#include <libxml/tree.h>
#include <libxml/xinclude.h>
#include <libxml/xmlerror.h>
