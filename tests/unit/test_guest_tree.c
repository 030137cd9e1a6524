/* What the device tree says of a VM as a whole. */
#include <stdio.h>

#include "test_board_fixture.h"

#include "emu/machine.h"
#include "hv/tree/device_tree.h"
#include "hv/tree/fdt.h"
#include "hv/hv_internal.h"

static const uint32_t program[] = {0x14000000};

static struct dt_node *tree_of(struct machine *m, uint32_t quirks)
{
    struct bytes flat = {0};
    struct error e = {0};
    struct fdt_inputs inputs = {0};
    m->board->options.quirks = quirks;
    ck_assert(vm_arches[0]->build_tree(m->board->vms[0], &inputs, &flat, &e));
    struct dt_node *root = fdt_read(&flat, &e);
    ck_assert_msg(root != NULL, "%s", e.text);
    bytes_free(&flat);
    return root;
}

static const struct dt_property *find(const struct dt_node *root, const char *node,
                                      const char *name)
{
    for (size_t i = 0; i < root->child_count; i++)
        if (strcmp(root->children[i]->name, node) == 0)
            return dt_property(root->children[i], name);
    return NULL;
}

/* In the order of the journal's pulls: those of assembly had the first two. */
START_TEST(chosen_has_seeds)
{
    struct machine m;
    machine_open(&m, program, 1, 1);
    ck_assert_uint_eq(m.board->vms[0]->entropy_pulls, 2);
    struct dt_node *root = tree_of(&m, 0);
    const struct dt_property *kaslr = find(root, "chosen", "kaslr-seed");
    const struct dt_property *rng = find(root, "chosen", "rng-seed");
    ck_assert(kaslr && rng);
    ck_assert_uint_eq(kaslr->size, 8);
    ck_assert_uint_eq(rng->size, 32);
    ck_assert_uint_eq(kaslr->data[0], '2');
    ck_assert_uint_eq(rng->data[31], '3' + 31);
    dt_node_free(root);
    machine_close(&m);
}
END_TEST

START_TEST(pmu_is_the_models)
{
    struct machine m;
    machine_open(&m, program, 1, 1);
    struct dt_node *root = tree_of(&m, 0);
    static const char a57[] = "arm,cortex-a57-pmu\0arm,armv8-pmuv3";
    const struct dt_property *compatible = find(root, "pmu", "compatible");
    ck_assert(compatible && compatible->size == sizeof a57);
    ck_assert_mem_eq(compatible->data, a57, sizeof a57);
    dt_node_free(root);
    root = tree_of(&m, QUIRK_OLD_PMU);
    ck_assert(!find(root, "pmu", "compatible"));
    dt_node_free(root);
    machine_close(&m);
}
END_TEST

START_TEST(machines_of_the_past_have_none)
{
    struct machine m;
    machine_open(&m, program, 1, 1);
    struct dt_node *root = tree_of(&m, QUIRK_NO_SEEDS);
    ck_assert(!find(root, "chosen", "kaslr-seed") && !find(root, "chosen", "rng-seed"));
    ck_assert_uint_eq(m.board->vms[0]->entropy_pulls, 2);
    dt_node_free(root);
    machine_close(&m);
}
END_TEST

static struct dt_node *tree_with(struct machine *m, const char *devices)
{
    char text[200];
    struct error e = {0};
    snprintf(text, sizeof text, "ram 0x40000000,4M load 0x40000000,image %s", devices);
    ck_assert_msg(machine_try(m, text, program, 1, &e), "%s", e.text);
    return tree_of(m, 0);
}

#define SMMU "vdev smmuv3 loc 0x2b400000 intr gic:74"

/* Its interrupts are messages where there is a frame for them, and else a line; a frame that nobody
 * refers to has no phandle, as ever. */
START_TEST(an_smmu_has_a_line_or_a_frame)
{
    static const char smmu[] = "iommu@2b400000", gic[] = "intc@2f000000";
    const char *const devices[] = {SMMU, "vdev gic msi 0x30000000,80,8",
                                   ("vdev gic msi 0x30000000,80,8 " SMMU)};
    for (unsigned i = 0; i < 3; i++) {
        struct machine m;
        struct dt_node *root = tree_with(&m, devices[i]);
        const struct dt_property *parent = find(root, smmu, "msi-parent");
        ck_assert_int_eq(find(root, smmu, "interrupts") != NULL, i == 0);
        ck_assert_int_eq(find(root, smmu, "interrupt-names") != NULL, i == 0);
        ck_assert_int_eq(parent != NULL, i == 2);
        for (size_t k = 0; k < root->child_count; k++) {
            const struct dt_node *n = root->children[k];
            if (strcmp(n->name, gic) != 0 || i == 0)
                continue;
            ck_assert_uint_eq(n->child_count, 1);
            const struct dt_property *phandle = dt_property(n->children[0], "phandle");
            ck_assert_int_eq(phandle != NULL, i == 2);
            ck_assert(!phandle || memcmp(phandle->data, parent->data, 4) == 0);
        }
        dt_node_free(root);
        machine_close(&m);
    }
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("guest_tree");
    tcase_add_test(t, chosen_has_seeds);
    tcase_add_test(t, pmu_is_the_models);
    tcase_add_test(t, machines_of_the_past_have_none);
    tcase_add_test(t, an_smmu_has_a_line_or_a_frame);
    return suite_main("hv/guest_tree", t);
}
