// Running the built `walsh` as a user does.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "tests/support/paths.h"
#include "tests/support/temporary_folder.h"

extern char** environ;

namespace walsh::test {

struct Finished {
  int status = 0;  // exit status; 128 + signal where one ended it
  std::string out, err;
};

/// `walsh ARGUMENTS`, running. `environment` goes over this process's own. Killed where it is still running
/// at the end.
class WalshProcess {
 public:
  explicit WalshProcess(const std::vector<std::string>& arguments,
                        std::map<std::string, std::string> environment = {}) {
    for (char** entry = environ; *entry; ++entry) {
      const std::string text = *entry;
      environment.emplace(text.substr(0, text.find('=')), text.substr(text.find('=') + 1));
    }
    const std::string binary = walsh_binary().string();
    std::vector<std::string> words{binary}, settings;
    words.insert(words.end(), arguments.begin(), arguments.end());
    for (const auto& [name, value] : environment) settings.push_back(name + "=" + value);
    const auto pointers = [](std::vector<std::string>& strings) {
      std::vector<char*> list;
      for (std::string& text : strings) list.push_back(text.data());
      list.push_back(nullptr);
      return list;
    };
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, out().c_str(), O_WRONLY | O_CREAT, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, err().c_str(), O_WRONLY | O_CREAT, 0600);
    const int started = posix_spawn(&child_, binary.c_str(), &actions, nullptr, pointers(words).data(),
                                    pointers(settings).data());
    posix_spawn_file_actions_destroy(&actions);
    if (started != 0) throw std::runtime_error("cannot start " + binary);
  }
  WalshProcess(const WalshProcess&) = delete;
  WalshProcess& operator=(const WalshProcess&) = delete;
  ~WalshProcess() {
    if (child_ > 0) kill();
  }

  Finished wait() {
    int state = 0;
    waitpid(std::exchange(child_, 0), &state, 0);
    return {WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state), read_text(out()),
            read_text(err())};
  }
  Finished kill() {
    ::kill(child_, SIGKILL);
    return wait();
  }

 private:
  std::string out() const { return (streams_.path() / "out").string(); }
  std::string err() const { return (streams_.path() / "err").string(); }

  TemporaryFolder streams_;
  pid_t child_ = 0;
};

/// Runs `walsh ARGUMENTS` and waits.
inline Finished run_walsh(const std::vector<std::string>& arguments,
                          const std::map<std::string, std::string>& environment = {}) {
  return WalshProcess(arguments, environment).wait();
}

}  // namespace walsh::test
