/* Shared inside hv/ only. */
#ifndef HV_HV_INTERNAL_H
#define HV_HV_INTERNAL_H

#include "hv/board.h"
#include "hv/network.h"
#include "hv/snapshot/snapshot.h"
#include "mmu/memory_image.h"

/* exits.c: the one table through which guest exits are dispatched. */
enum exit_result exit_dispatch(void *context, struct vcpu *v, struct guest_exit *x);

/* run.c: the tick of the next event or input. */
uint64_t run_next_due(const struct board *b);

/* hang.c: everybody who could run takes the same exception for ever, if anybody could. */
bool hang_nobody_gets_on(const struct board *b);
/* Something happened that may have changed memory: their next attempt may be another one. */
void hang_try_again(struct board *b);
/* A vCPU takes the same exception for ever: its VM ends, or the user is told. */
void hang_note_repetition(struct vm *vm, struct vcpu *v);
/* Nothing will happen any more. */
void hang_end_waiting(struct board *b);
/* The power button: the guest was `told` of it before, or cannot be. */
void hang_end_by_button(struct vm *vm, bool told);
void hang_end_by_power_cut(struct vm *vm);
/* "instruction limit reached", and what nobody would have ended. */
void hang_end_by_limit(struct board *b, const char *which);

/* interrupts.c: the vCPU sees these; and another vCPU of the board can run that could not before.
 */
/* inject.c: faults on purpose. Which comes next; and those that are due, right behind the
 * instruction. */
void inject_plan(struct board *b);
void inject_due(struct board *b);

/* inject_lines.c: the same of interrupts and accesses. What the VM's lines get to know goes by the
 * wire; does the device refuse the access that is about to be made? */
void inject_make(struct vm *vm);
void inject_free(struct vm *vm);
void inject_forget(struct vm *vm);
struct wire inject_wire(struct vm *vm, unsigned line);
bool inject_refuses(struct vm *vm, const struct vdev *v);
/* Behind all devices: while they are restored they are not heard. */
void inject_visit(struct vm *vm, struct state *s);

/* vdev_env.c: takes a range out of the VM's tables. False: they are damaged, or have no room. */
bool vdev_env_unmap(struct vm *vm, gpa_t at, uint64_t size);

void interrupts_deliver(struct vm *vm, unsigned vcpu, unsigned signals);
void interrupts_vcpu_has_woken(struct board *b);

/* devices.c: those of the configuration, and of what is passed to the VM; and no more. */
bool devices_make(struct vm *vm, struct error *e);
void devices_free(struct vm *vm);

/* pass.c: what `pass` gives to the VM, in stage 2; and the board's devices that come with it are
 * handed to `make`, as devices of the VM. */
typedef bool make_device(struct vm *vm, const struct vdev_config *c, struct error *e);
bool pass_map(struct vm *vm, struct error *e);
bool pass_devices(struct vm *vm, make_device *make, struct error *e);

/* vdev_env.c: what the VM's device number `i` sees of the world. */
const struct vdev_env *vdev_env_init(struct vm *vm, size_t i, const struct log *log);

/* guest_dma.c: the port of the device of that number, to the VM's guest-physical space. */
struct dma_port guest_dma_port(struct vm *vm, unsigned channel);
/* Its translations, or the memory behind them, have changed: what was mapped is looked up again. */
void guest_dma_changed(struct vm *vm);
/* board_dma.c: the port to the board's own space. */
struct dma_port board_dma_port(struct board *b);

/* smmuman.c: the board's SMMUs, if a guest is given a device that masters; `space` leads to the
 * board's own. */
bool smmuman_make(struct board *b, struct dma_port space, const struct vm_config *configs,
                  size_t count, struct error *e);
void smmuman_free(struct board *b);
/* Has one of them its stream? */
bool smmuman_units_know(const struct board *b, const struct board_device *d);
/* The number of the first of the board's devices that the SMMU cannot tell from this one. */
size_t smmuman_units_group(const struct board *b, size_t device);
/* From now on the board's device of that number, as the VM has it, reaches what smmuman's
 * configuration lets it: the VM's memory, and more of what the VM has. */
bool smmuman_contain(struct vm *vm, struct vdev *v, size_t device, struct error *e);
/* It is not contained, and reaches everything. */
void smmuman_leave(struct vm *vm, struct vdev *v, size_t device);
/* The VM has ended: its devices of the board reach nothing. */
void smmuman_units_release(struct vm *vm);
/* smmuman_client.c: its objects are gone, and what its `vdev smmu` asks for. */
struct smmu_client_call;
void smmuman_client_forget(struct vm *vm);
void smmuman_client_call(struct vm *vm, struct smmu_client_call *call);
/* smmuman_records.c: what was recorded of the VM's devices, to its log; nothing: nothing. And what
 * they reach, too. */
void smmuman_records_report(const struct vm *vm, enum log_severity severity);
void smmuman_records_status(const struct vm *vm);
/* smmuman.c: the SMMU of that number in the board's configuration; NULL: it is left alone. */
const struct vdev *smmuman_smmu(const struct board *b, size_t i);
void smmuman_visit(struct board *b, struct state *s);
void smmuman_restored(struct board *b);

/* stores.c: memory for what devices keep, behind the board's RAM, which must be there; and the part
 * of the device with these options, empty if it keeps nothing. */
bool stores_make(struct board *b, const struct vm_config *configs, size_t count, struct error *e);
void stores_free(struct board *b);
struct vdev_store stores_of(struct board *b, const struct vdev_option *options);
/* ", of the disk 'disk.img'", of an address among them; of any other, nothing. */
void stores_name(const struct board *b, hpa_t at, char *text, size_t size);

/* shared_memory.c: bytes for the regions that guests share and for mapping them, 0 without any vdev
 * shmem; and their registry. */
uint64_t shared_memory_need(const struct vm_config *configs, size_t count);
bool shared_memory_make(struct board *b, const struct vm_config *configs, size_t count,
                        struct error *e);

/* psci.c: calls of the firmware. */
enum exit_result psci_call(struct vm *vm, struct vcpu *v);
/* "CPU_ON"; NULL: the answer is NOT_SUPPORTED. */
const char *psci_call_name(uint32_t function);

/* semihosting.c */
struct semihosting *semihosting_new(const char *folder, uint32_t quirks);
void semihosting_free(struct semihosting *s);
/* The open handles, with the contents of files. */
void semihosting_visit(struct semihosting *sh, struct state *s);
enum exit_result semihosting_call(struct vm *vm, struct vcpu *v);

/* vm.c: calls `terminate` of each device of a VM that has ended. */
void vm_finish(struct vm *vm);
/* restart.c: the same VM anew; ends again, with a sentence, if that fails. */
void restart_vm(struct vm *vm);

/* board_state.c: all but memory, for digests and snapshots. A board that could not be restored is
 * of no use. */
void board_visit(struct board *b, struct state *s);
/* The value at an offset of it, or of a name. */
void board_search(struct board *b, struct state_search *search);

/* snapshot.c: when the next one is due, from now on; and all of the machine but the contents of its
 * memory. */
void snapshot_plan(struct board *b);
void snapshot_visit_machine(struct board *b, struct state *s);
void snapshot_save_machine(struct board *b, struct bytes *out);
bool snapshot_restore_machine(struct board *b, struct reader *in);
/* The board becomes what it was when its machine was saved and the image of its memory was taken.
 */
void snapshot_go_back(struct board *b, const struct bytes *machine, struct memory_images *images,
                      struct memory_image *memory);
/* snapshot_pages.c: the contents of memory. What is restored stays in `in`'s data for later. */
#define SNAPSHOT_CHAIN_MAX 32 /* snapshots that lean on each other */
void snapshot_save_pages(struct memory *m, struct snapshot_chain *chain, struct bytes *out);
bool snapshot_pages_are_whole(const struct reader *in);
/* `parts`: a whole one, those that lean on it in order, the one that is restored last. */
bool snapshot_restore_pages(struct memory *m, struct reader *parts, size_t count);

/* events.c: tells whoever watches. */
void event_vcpu_created(const struct board *b, const struct vm *vm, unsigned vcpu);
void event_interrupt(const struct board *b, const struct vm *vm, unsigned vcpu, unsigned signals);
void event_entry(struct board *b, struct sched_entity *t, uint64_t pc);
void event_exit(struct board *b, struct sched_entity *t, const struct guest_exit *x,
                enum exit_result result);
/* It has to leave the CPU to another vCPU; it is in the engine still. */
void event_preempted(struct board *b, struct sched_entity *t);

/* Context is the VM of the master. */
void event_dma_refused(void *vm, const struct dma_port *p, const struct dma_fault *fault);

/* loggers.c: where a VM's lines go, and those of its device number `i`. */
void loggers_init(struct vm *vm);
const struct log *loggers_of_vdev(struct vm *vm, size_t i, const struct vdev_config *config);

/* inputs.c: what an input does, and the event that offers devices their pending input again. */
void input_deliver(struct board *b, const struct push *p);
void input_retry(void *context, uint64_t due_ticks);
/* No event is due but those. */
bool input_is_all_that_waits(const struct board *b);
/* Offers it now; true if a device has taken some. */
bool input_offer_again(struct board *b);
#define INPUT_RETRY_TICKS 100000 /* how soon a full device is offered its input again */

/* frames.c: a frame for a device, which takes it; or it waits, or is lost. */
void frames_deliver(struct vm *vm, unsigned channel, const struct vdev_frame *frame);
/* A frame as it goes over a wire, with nothing left to do, which may be several; each is in the
 * board's one buffer until the next. */
struct frame_finisher {
    const struct vdev_frame *frame;
    struct frame_cutter cutter;
    uint8_t *buffer;
    bool is_over;
};
struct frame_finisher frames_finish(struct board *b, const struct vdev_frame *frame);
bool frames_next(struct frame_finisher *f, struct vdev_frame *next);
/* Those that wait for the device are offered now; true if it has taken some. */
bool frames_offer_again(struct vm *vm, unsigned channel);
/* Are these bytes frames, one after the other, as they wait for a device? */
bool frames_are_good(const uint8_t *data, size_t size);

/* vm.c: a VM's output goes to its sink and its digest; a frame that leaves the board is in it, too.
 */
void vm_output(void *vm, unsigned channel, const void *data, size_t size);
void vm_output_frame(struct vm *vm, unsigned channel, const struct vdev_frame *frame);

/* vdev_env.c: random numbers of the journal for a VM. False: there are none, and it has ended. */
bool vdev_env_entropy(void *vm, void *to, size_t size);
/* The same where a replay does not want the bytes. */
void vdev_env_pass_entropy(struct vm *vm);

/* What a VM's device tree (struct vm_arch) says beside what was assembled. */
struct fdt_inputs {
    uint64_t initrd_start, initrd_size; /* size 0: none */
    bool has_user_tree;                 /* one will be merged */
};

/* blobs.c: assembly step 7. Loads everything and gives vCPU 0 its start. */
bool blobs_load(struct vm *vm, struct error *e);

#endif
