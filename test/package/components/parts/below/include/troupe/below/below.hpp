#pragma once

#ifndef COUNTS_BY
#error what this needs was not passed on
#endif

namespace troupe {

int below();

} // namespace troupe
