// The factory; what it makes is checked op by op, see reference.h.
#include "reference/reference.h"

#include "reference/reference_backend.h"

namespace igcnet {

std::unique_ptr<Backend> make_reference_backend() { return std::make_unique<ReferenceBackend>(); }

}  // namespace igcnet
