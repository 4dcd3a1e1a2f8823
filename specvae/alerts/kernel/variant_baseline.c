/* Every other processor. */
#define NAME baseline
#include "night.h"
const Variant night_baseline = {"baseline", FUNCTION(look), FUNCTION(stand_out), FUNCTION(learn)};
