#include "journal/power_cut_disk.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace bascule::journal {

constexpr std::size_t kSector = 512;

// Thread-safety: external (one thread).
struct PowerCutDisk::File {
  std::vector<std::byte> now;     // what a reader sees
  std::vector<std::byte> synced;  // what survives
  // Where the two may differ.
  std::size_t from = SIZE_MAX;
  std::size_t to = 0;

  void changed(std::size_t begin, std::size_t end) {
    from = std::min(from, begin);
    to = std::max(to, end);
  }
  void sync() {
    synced.resize(now.size());
    const std::size_t end = std::min(to, now.size());
    if (from < end) std::copy(now.data() + from, now.data() + end, synced.data() + from);
    from = SIZE_MAX;
    to = 0;
  }
};

// Thread-safety: external (one thread).
struct PowerCutDisk::Vfs {
  sqlite3_vfs vfs{};
};

// What SQLite keeps of an open file, in memory of its own.
// Thread-safety: external (one thread).
struct OpenFile {
  sqlite3_file base;
  PowerCutDisk* disk;
  std::shared_ptr<PowerCutDisk::File>* file;
};

// What SQLite calls.
// Thread-safety: external (one thread).
struct DiskCalls {
  static PowerCutDisk& disk_of(sqlite3_vfs* vfs) { return *static_cast<PowerCutDisk*>(vfs->pAppData); }
  static OpenFile& open_file(sqlite3_file* file) { return *reinterpret_cast<OpenFile*>(file); }
  static PowerCutDisk::File& contents(sqlite3_file* file) { return **open_file(file).file; }

  static int close(sqlite3_file* file) {
    std::unique_ptr<std::shared_ptr<PowerCutDisk::File>> freed(open_file(file).file);
    return SQLITE_OK;
  }
  static int read(sqlite3_file* file, void* to, int size, sqlite3_int64 at) {
    if (open_file(file).disk->off_) return SQLITE_IOERR_READ;
    const auto& bytes = contents(file).now;
    const auto begin = std::min(static_cast<std::size_t>(at), bytes.size());
    const auto count = std::min(static_cast<std::size_t>(size), bytes.size() - begin);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(begin), count, static_cast<std::byte*>(to));
    std::memset(static_cast<std::byte*>(to) + count, 0, static_cast<std::size_t>(size) - count);
    return count == static_cast<std::size_t>(size) ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
  }
  static int write(sqlite3_file* file, const void* from, int size, sqlite3_int64 at) {
    if (!open_file(file).disk->work()) return SQLITE_IOERR_WRITE;
    auto& bytes = contents(file).now;
    const auto end = static_cast<std::size_t>(at) + static_cast<std::size_t>(size);
    if (bytes.size() < end) bytes.resize(end);
    std::memcpy(bytes.data() + at, from, static_cast<std::size_t>(size));
    contents(file).changed(static_cast<std::size_t>(at), end);
    return SQLITE_OK;
  }
  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    if (!open_file(file).disk->work()) return SQLITE_IOERR_TRUNCATE;
    const std::size_t before = contents(file).now.size();
    contents(file).now.resize(static_cast<std::size_t>(size));
    contents(file).changed(static_cast<std::size_t>(size), before);
    return SQLITE_OK;
  }
  static int sync(sqlite3_file* file, int /*flags*/) {
    PowerCutDisk& disk = *open_file(file).disk;
    if (!disk.work()) return SQLITE_IOERR_FSYNC;
    ++disk.syncs_;
    if (!disk.lying_) contents(file).sync();
    return SQLITE_OK;
  }
  static int size(sqlite3_file* file, sqlite3_int64* out) {
    *out = static_cast<sqlite3_int64>(contents(file).now.size());
    return open_file(file).disk->off_ ? SQLITE_IOERR_FSTAT : SQLITE_OK;
  }
  static int lock(sqlite3_file* /*file*/, int /*kind*/) { return SQLITE_OK; }
  static int check_lock(sqlite3_file* /*file*/, int* out) {
    *out = 0;
    return SQLITE_OK;
  }
  static int control(sqlite3_file* /*file*/, int /*what*/, void* /*value*/) { return SQLITE_NOTFOUND; }
  static int sector(sqlite3_file* /*file*/) { return static_cast<int>(kSector); }
  // As SQLite takes every disk to be: a write that is cut off harms no byte beside it.
  static int traits(sqlite3_file* /*file*/) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags);
  static int remove(sqlite3_vfs* vfs, const char* name, int /*sync*/) {
    if (!disk_of(vfs).work()) return SQLITE_IOERR_DELETE;
    return disk_of(vfs).files_.erase(name) > 0 ? SQLITE_OK : SQLITE_IOERR_DELETE_NOENT;
  }
  static int access(sqlite3_vfs* vfs, const char* name, int /*flags*/, int* out) {
    *out = disk_of(vfs).files_.contains(name) ? 1 : 0;
    return disk_of(vfs).off_ ? SQLITE_IOERR_ACCESS : SQLITE_OK;
  }
  static int full_name(sqlite3_vfs* /*vfs*/, const char* name, int size, char* out) {
    return sqlite3_snprintf(size, out, "%s", name) != nullptr ? SQLITE_OK : SQLITE_CANTOPEN;
  }
};

int DiskCalls::open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  // Without shared memory: the log is then used by an exclusive connection only.
  static constexpr sqlite3_io_methods kMethods{.iVersion = 1,
                                               .xClose = close,
                                               .xRead = read,
                                               .xWrite = write,
                                               .xTruncate = truncate,
                                               .xSync = sync,
                                               .xFileSize = size,
                                               .xLock = lock,
                                               .xUnlock = lock,
                                               .xCheckReservedLock = check_lock,
                                               .xFileControl = control,
                                               .xSectorSize = sector,
                                               .xDeviceCharacteristics = traits};
  PowerCutDisk& disk = disk_of(vfs);
  file->pMethods = nullptr;
  if (disk.off_) return SQLITE_CANTOPEN;
  std::shared_ptr<PowerCutDisk::File> contents = std::make_shared<PowerCutDisk::File>();
  if (name != nullptr) {  // a temporary file has none
    const auto [found, made] = disk.files_.try_emplace(name, contents);
    if (made && (flags & SQLITE_OPEN_CREATE) == 0) {
      disk.files_.erase(found);
      return SQLITE_CANTOPEN;
    }
    contents = found->second;
  }
  open_file(file).disk = &disk;
  open_file(file).file = std::make_unique<std::shared_ptr<PowerCutDisk::File>>(std::move(contents)).release();
  file->pMethods = &kMethods;
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}

PowerCutDisk::PowerCutDisk() : name_("power-cut-disk"), vfs_(std::make_unique<Vfs>()) {
  sqlite3_vfs& vfs = vfs_->vfs;
  vfs = *sqlite3_vfs_find(nullptr);  // its clock and its random numbers
  vfs.iVersion = 1;
  vfs.szOsFile = sizeof(OpenFile);
  vfs.pNext = nullptr;
  vfs.zName = name_.c_str();
  vfs.pAppData = this;
  vfs.xOpen = DiskCalls::open;
  vfs.xDelete = DiskCalls::remove;
  vfs.xAccess = DiskCalls::access;
  vfs.xFullPathname = DiskCalls::full_name;
  BASCULE_CHECK(sqlite3_vfs_register(&vfs, 0) == SQLITE_OK);
}

PowerCutDisk::~PowerCutDisk() { sqlite3_vfs_unregister(&vfs_->vfs); }

bool PowerCutDisk::work() {
  if (off_) return false;
  off_ = left_ == 0;
  if (left_ > 0 && left_ != UINT64_MAX) --left_;
  return !off_;
}

void PowerCutDisk::restore(std::mt19937_64& random, double survives) {
  std::bernoulli_distribution kept(survives);
  for (auto& [name, file] : files_) {
    std::vector<std::byte> after = file->synced;
    if (kept(random)) after.resize(file->now.size());  // a size is one of the things that may be there
    for (std::size_t at = 0; at < std::min(after.size(), file->now.size()); at += kSector) {
      if (!kept(random)) continue;
      const std::size_t count = std::min({kSector, after.size() - at, file->now.size() - at});
      std::copy_n(file->now.begin() + static_cast<std::ptrdiff_t>(at), count,
                  after.begin() + static_cast<std::ptrdiff_t>(at));
    }
    file->now = after;
    file->synced = std::move(after);
    file->from = SIZE_MAX;
    file->to = 0;
  }
  off_ = false;
  left_ = UINT64_MAX;
}

}  // namespace bascule::journal
