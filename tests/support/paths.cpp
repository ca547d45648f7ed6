#include "tests/support/paths.h"

namespace walsh::test {

// The build's folders are known to this file alone, so that checkouts can share compiled objects.
std::filesystem::path source_dir() { return WALSH_SOURCE_DIR; }
std::filesystem::path walsh_binary() { return WALSH_BINARY; }

}  // namespace walsh::test
