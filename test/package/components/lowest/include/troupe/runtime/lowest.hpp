#pragma once

namespace troupe {

int lowest();

} // namespace troupe
