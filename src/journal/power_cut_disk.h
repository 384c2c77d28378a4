#pragma once

// For tests: a disk in memory, as a VFS of SQLite, whose power can be cut.
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace bascule::journal {

// Every file is what was written to it; what was not synced yet is lost with the power, or a part of it is.
// Files are opened by name, locks are not kept: one connection at a time. Source of the interface:
// https://sqlite.org/vfs.html. Thread-safety: external (one thread).
class PowerCutDisk {
 public:
  // Registers itself under name().
  PowerCutDisk();
  ~PowerCutDisk();
  PowerCutDisk(const PowerCutDisk&) = delete;
  PowerCutDisk& operator=(const PowerCutDisk&) = delete;

  // For DatabaseOptions::file_system.
  [[nodiscard]] const std::string& name() const { return name_; }

  // The power goes at the write, cut or sync behind so many more; each of them and of those behind it fails.
  void cut_after(std::uint64_t operations) { left_ = operations; }
  [[nodiscard]] bool is_off() const { return off_; }
  // Back again. Of what was not synced, every 512 bytes survive with this chance: 0 loses all of it.
  void restore(std::mt19937_64& random, double survives);
  // Whether syncs do anything: a disk that lies about them. To show that the test finds it.
  void set_lying(bool lying) { lying_ = lying; }
  [[nodiscard]] std::uint64_t syncs() const { return syncs_; }

  // One file, for the VFS.
  struct File;

 private:
  friend struct DiskCalls;
  bool work();  // false: there is no power

  const std::string name_;
  struct Vfs;
  std::unique_ptr<Vfs> vfs_;
  std::map<std::string, std::shared_ptr<File>> files_;
  std::uint64_t left_ = UINT64_MAX;
  std::uint64_t syncs_ = 0;
  bool off_ = false;
  bool lying_ = false;
};

}  // namespace bascule::journal
