#pragma once

#include <nobody/has/this.hpp>
