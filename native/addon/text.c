/* Owns the giving back of program text: what is read-only in the files that this process runs. */
#include "addon.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

/* Text that the loader has written to is no longer what the file has. */
static bool is_relocated(const struct dl_phdr_info *object) {
  for (int i = 0; i < object->dlpi_phnum; i++) {
    if (object->dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
    const ElfW(Dyn) *entry = (const ElfW(Dyn) *)(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr);
    for (; entry->d_tag != DT_NULL; entry++) {
      if (entry->d_tag == DT_TEXTREL || (entry->d_tag == DT_FLAGS && entry->d_un.d_val & DF_TEXTREL)) return true;
    }
  }
  return false;
}

/*
 * Unmaps the whole pages of segments that were never writable: the pages stay in the kernel's cache, and come back at the
 * next access (madvise(2), MADV_DONTNEED of a private mapping of a file that was not written to).
 */
static int release(struct dl_phdr_info *object, size_t size, void *answer) {
  (void)size;
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  if (is_relocated(object)) return 0;
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
    if (segment->p_type != PT_LOAD || segment->p_flags & PF_W) continue;
    uintptr_t from = (object->dlpi_addr + segment->p_vaddr + page - 1) & ~(page - 1);
    uintptr_t to = (object->dlpi_addr + segment->p_vaddr + segment->p_filesz) & ~(page - 1);
    if (from < to && madvise((void *)from, to - from, MADV_DONTNEED) < 0) *(int *)answer = -errno;
  }
  return 0;
}

/* releaseText(): 0, or -errno of a segment that could not be unmapped. */
static napi_value release_text(napi_env env, napi_callback_info call) {
  (void)call;
  int answer = 0;
  dl_iterate_phdr(release, &answer);
  return heddle_number(env, answer);
}

bool heddle_define_text(napi_env env, napi_value exports) {
  return heddle_define(env, exports, "releaseText", release_text);
}
