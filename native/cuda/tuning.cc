#include "cuda/tuning.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "core/error.h"
#include "cuda/simt_backend.h"

namespace igcnet::simt {
namespace {

constexpr int kRounds = 5;
constexpr size_t kMostLines = 100'000;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

std::string tuning_file() {
  const std::string asked = environment("IGCNET_CUDA_TUNING");
  if (asked == "none") return "";
  if (!asked.empty()) return asked;
  const std::string cache = environment("XDG_CACHE_HOME"), home = environment("HOME");
  if (cache.empty() && home.empty()) return "";
  return (cache.empty() ? home + "/.cache" : cache) + "/igcnet/cuda-tuning.txt";
}

bool tf32_asked_for() {
  const std::string asked = environment("IGCNET_TF32");
  if (asked.empty() || asked == "0") return false;
  if (asked == "1") return true;
  throw Error(ErrorCode::kRange, "IGCNET_TF32: expected 0 or 1 but received " + asked);
}

Tuning::Tuning(Platform& platform, std::string file)
    : platform_(platform),
      file_(std::move(file)),
      machine_("igcnet " IGCNET_CUDA_HASH ", " + platform.description() + (tf32_asked_for() ? ", TF32" : "")) {
  if (!file_.empty()) load();
}

// The first line names the machine; each other line is a key and 0 or 1.
void Tuning::load() {
  std::ifstream in(file_);
  std::string line;
  if (!std::getline(in, line) || line != machine_) return;
  for (size_t i = 0; i < kMostLines && std::getline(in, line); ++i) {
    std::istringstream words(line);
    Key numbers;
    for (int64_t number = 0; words >> number;) numbers.push_back(number);
    if (!words.eof() || numbers.size() < 2 || (numbers.back() != 0 && numbers.back() != 1)) continue;
    const bool second = numbers.back() == 1;
    numbers.pop_back();
    choices_[numbers] = second;
  }
}

// Under another name first, so that a reader never sees half of it.
void Tuning::store() const noexcept {
  try {
    namespace fs = std::filesystem;
    const fs::path target(file_), folder = target.parent_path();
    std::error_code ignored;
    if (!folder.empty()) fs::create_directories(folder, ignored);
    const fs::path made = file_ + "." + std::to_string(reinterpret_cast<uintptr_t>(this)) + ".new";
    {
      std::ofstream out(made);
      out << machine_ << '\n';
      for (const auto& [key, second] : choices_) {
        for (const int64_t number : key) out << number << ' ';
        out << (second ? 1 : 0) << '\n';
      }
      if (!out.flush()) {
        fs::remove(made, ignored);
        return;
      }
    }
    fs::rename(made, target, ignored);
    if (ignored) fs::remove(made, ignored);
  } catch (...) {  // no memory for names: it is measured again next time
  }
}

// In turn, so that neither has the quieter moments to itself.
bool Tuning::second_is_faster(const Way& first, const Way& second) const {
  std::array<std::vector<double>, 2> times;
  const std::array<const Way*, 2> ways = {&first, &second};
  first();  // plans are made, memory grows
  try {
    second();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kOutOfMemory) throw;
    return false;  // it needs more maps
  }
  for (int round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < ways.size(); ++i) times[i].push_back(platform_.milliseconds(*ways[i]));
  }
  for (auto& list : times) std::nth_element(list.begin(), list.begin() + kRounds / 2, list.end());
  return times[1][kRounds / 2] < times[0][kRounds / 2];
}

bool Tuning::run(const Key& key, const Way& first, const Way& second) {
  const auto known = choices_.find(key);
  const bool measures = known == choices_.end() && !file_.empty();
  bool takes_second = known != choices_.end() && known->second;
  if (measures) {
    if (platform_.capturing()) throw Error(ErrorCode::kUnsupported, "cuda: nothing can be measured in a graph");
    takes_second = second_is_faster(first, second);
    choices_[key] = takes_second;
    store();
  }
  takes_second ? second() : first();
  return measures && !takes_second;
}

}  // namespace igcnet::simt
