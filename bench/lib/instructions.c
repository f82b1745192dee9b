// A plugin for qemu-user: counts the instructions that every thread executes, into a shared file.
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <stddef.h>
typedef uint64_t qemu_plugin_id_t;
typedef struct { const char *target_arch; struct { int min, cur; } version; uint8_t system_emulation; } qemu_info_t;
struct qemu_plugin_tb;
enum { NO_REGS = 0 };
extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned int, void *), int, void *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
int qemu_plugin_version = 1;
enum { THREADS = 512, STEP = 8 };
static uint64_t *counts;
static void executed(unsigned int cpu, void *n) { counts[(cpu % THREADS) * STEP] += (uint64_t)(uintptr_t)n; }
static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
  (void)id;
  qemu_plugin_register_vcpu_tb_exec_cb(tb, executed, NO_REGS, (void *)(uintptr_t)qemu_plugin_tb_n_insns(tb));
}
int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
  (void)info;
  if (argc < 1 || strncmp(argv[0], "out=", 4)) return 1;
  int fd = open(argv[0] + 4, O_RDWR | O_CREAT, 0600);
  if (fd < 0 || ftruncate(fd, THREADS * STEP * 8)) return 1;
  counts = mmap(NULL, THREADS * STEP * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (counts == MAP_FAILED) return 1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  return 0;
}
