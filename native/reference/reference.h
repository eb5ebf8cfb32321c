// The device `reference`: every op as the formula of its header, in plain loops, on one thread, in f32 and f64.
// It is the specification that the other devices are compared with; it is checked itself against PyTorch (test/golden)
// and against finite differences (test/gradcheck).
#pragma once

#include <memory>

#include "core/backend.h"

namespace igcnet {

std::unique_ptr<Backend> make_reference_backend();

}  // namespace igcnet
