#include "qvm/test/test_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "emu/json.h"
#include "emu/text.h"

void test_case_title(const struct test_case *c, char text[TEST_TITLE])
{
    snprintf(text, TEST_TITLE, "%s%s%s", c->path, *c->name ? ":" : "", c->name);
    text_make_printable(text);
}

/* For people --------------------------------------------------------------------------------------
 */

/* Lines behind a margin, without what does something to terminals. */
static void put_lines(const char *text, struct bytes *out)
{
    bool begins = true;
    for (; *text; text++) {
        if (*text == '\r')
            continue;
        if (begins)
            text_put(out, "    | ");
        begins = *text == '\n';
        bool is_control = (uint8_t)*text < ' ' && *text != '\n' && *text != '\t';
        text_put(out, "%c", is_control || *text == 0x7f ? '?' : *text);
    }
    if (!begins)
        text_put(out, "\n");
}

/* As the workflow commands of GitHub's runners want it: in properties also ':' and ','. */
static void put_escaped(const char *text, bool is_property, struct bytes *out)
{
    for (; *text; text++)
        if (*text == '%' || *text == '\r' || *text == '\n' ||
            (is_property && (*text == ':' || *text == ',')))
            text_put(out, "%%%02X", (unsigned)(uint8_t)*text);
        else
            text_put(out, "%c", *text);
}

static void put_mark(const struct test_case *c, struct bytes *out)
{
    char title[TEST_TITLE];
    test_case_title(c, title);
    text_put(out, "::error file=");
    put_escaped(c->path, true, out);
    if (c->result.line)
        text_put(out, ",line=%u", c->result.line);
    text_put(out, ",title=");
    put_escaped(title, true, out);
    text_put(out, "::");
    put_escaped(c->result.why, false, out);
    text_put(out, "\n");
}

static void put_failure(const struct test_case *c, struct bytes *out)
{
    const struct test_result *r = &c->result;
    if (r->line)
        text_put(out, "    [%s:%u] %s", c->path, r->line, r->why);
    else
        text_put(out, "    %s", r->why);
    if (r->has_seed)
        text_put(out, " (chaos seed %" PRIu64 ")", r->seed);
    text_put(out, "\n");
    put_lines(c->others ? c->others : r->shown, out);
    if (*r->trace)
        text_put(out, "    to see it again: qvm replay %s\n", r->trace);
}

static void put_time(uint64_t ns, struct bytes *out)
{
    text_put(out, "%" PRIu64 ".%03" PRIu64 " s", ns / 1000000000, ns / 1000000 % 1000);
}

void test_report_line(const struct test_case *c, bool marks, struct bytes *out)
{
    static const char *const words[] = {"passed", "FAILED", "skipped"};
    char title[TEST_TITLE];
    test_case_title(c, title);
    text_put(out, "%-8s %s  ", words[c->result.outcome], title);
    if (c->result.outcome == TEST_SKIPPED)
        text_put(out, "%s", c->result.why);
    else
        put_time(c->host_ns, out);
    text_put(out, "\n");
    if (c->result.outcome != TEST_FAILED)
        return;
    put_failure(c, out);
    if (marks)
        put_mark(c, out);
}

void test_report_end(const struct test_totals *totals, struct bytes *out)
{
    text_put(out, "%zu passed, %zu failed", totals->of[TEST_PASSED], totals->of[TEST_FAILED]);
    if (totals->of[TEST_SKIPPED])
        text_put(out, ", %zu skipped", totals->of[TEST_SKIPPED]);
    text_put(out, " in ");
    put_time(totals->host_ns, out);
    text_put(out, "\n");
}

/* TAP ---------------------------------------------------------------------------------------------
 */

/* A description: '#' begins a directive, '\' takes its meaning away. */
static void put_description(const char *text, struct bytes *out)
{
    for (; *text; text++) {
        if (*text == '#' || *text == '\\')
            text_put(out, "\\");
        text_put(out, "%c", *text);
    }
}

/* YAML takes JSON's strings. */
static void put_yaml(const char *key, const char *value, struct bytes *out)
{
    struct json j = {.out = out};
    text_put(out, "  %s: ", key);
    json_string(&j, NULL, value);
    text_put(out, "\n");
}

static void put_diagnostics(const struct test_case *c, struct bytes *out)
{
    text_put(out, "  ---\n");
    put_yaml("message", c->result.why, out);
    put_yaml("file", c->path, out);
    if (c->result.line)
        text_put(out, "  line: %u\n", c->result.line);
    if (*c->result.trace)
        put_yaml("trace", c->result.trace, out);
    if (c->result.has_seed)
        text_put(out, "  seed: %" PRIu64 "\n", c->result.seed);
    text_put(out, "  ...\n");
}

void test_report_tap(const struct test_case *cases, size_t count, struct bytes *out)
{
    text_put(out, "TAP version 14\n1..%zu\n", count);
    for (size_t i = 0; i < count; i++) {
        const struct test_case *c = &cases[i];
        char title[TEST_TITLE];
        test_case_title(c, title);
        text_put(out, "%s %zu - ", c->result.outcome == TEST_FAILED ? "not ok" : "ok", i + 1);
        put_description(title, out);
        if (c->result.outcome == TEST_SKIPPED)
            text_put(out, " # SKIP %s", c->result.why);
        text_put(out, "\n");
        if (c->result.outcome == TEST_FAILED)
            put_diagnostics(c, out);
    }
}

/* JUnit -------------------------------------------------------------------------------------------
 */

/* What XML 1.0 has no character for becomes '?' (section 2.2); so does what is not ASCII, whose
 * encoding nobody knows. */
static void put_xml(const char *text, struct bytes *out)
{
    for (; *text; text++) {
        uint8_t c = (uint8_t)*text;
        if (c == '&')
            text_put(out, "&amp;");
        else if (c == '<')
            text_put(out, "&lt;");
        else if (c == '>')
            text_put(out, "&gt;");
        else if (c == '"')
            text_put(out, "&quot;");
        else if (c == '\n' || c == '\t')
            text_put(out, "&#%u;", c);
        else if (c != '\r')
            text_put(out, "%c", c < ' ' || c > '~' ? '?' : c);
    }
}

static void put_attribute(const char *name, const char *value, struct bytes *out)
{
    text_put(out, " %s=\"", name);
    put_xml(value, out);
    text_put(out, "\"");
}

static void put_seconds(uint64_t ns, struct bytes *out)
{
    text_put(out, " time=\"%" PRIu64 ".%03" PRIu64 "\"", ns / 1000000000, ns / 1000000 % 1000);
}

static void put_case(const struct test_case *c, struct bytes *out)
{
    text_put(out, "    <testcase");
    put_attribute("classname", c->path, out);
    put_attribute("name", *c->name ? c->name : c->path, out);
    put_attribute("file", c->path, out);
    put_seconds(c->host_ns, out);
    if (c->result.outcome == TEST_PASSED) {
        text_put(out, "/>\n");
        return;
    }
    bool failed = c->result.outcome == TEST_FAILED;
    text_put(out, ">\n      <%s", failed ? "failure" : "skipped");
    put_attribute("message", c->result.why, out);
    if (!failed) {
        text_put(out, "/>\n    </testcase>\n");
        return;
    }
    struct bytes text = {0};
    put_failure(c, &text);
    bytes_put_int(&text, 0, 1);
    text_put(out, ">");
    put_xml((const char *)text.data, out);
    text_put(out, "</failure>\n    </testcase>\n");
    bytes_free(&text);
}

/* The cases of one file, which follow each other. */
static size_t put_suite(const struct test_case *cases, size_t count, struct bytes *out)
{
    size_t of[TEST_OUTCOMES] = {0}, size = 0;
    uint64_t ns = 0;
    for (; size < count && strcmp(cases[size].path, cases[0].path) == 0; size++) {
        of[cases[size].result.outcome]++;
        ns += cases[size].host_ns;
    }
    text_put(out, "  <testsuite");
    put_attribute("name", cases[0].path, out);
    text_put(out, " tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"%zu\"", size,
             of[TEST_FAILED], of[TEST_SKIPPED]);
    put_seconds(ns, out);
    text_put(out, ">\n");
    for (size_t i = 0; i < size; i++)
        put_case(&cases[i], out);
    text_put(out, "  </testsuite>\n");
    return size;
}

void test_report_junit(const struct test_case *cases, size_t count,
                       const struct test_totals *totals, struct bytes *out)
{
    text_put(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"qvm\"");
    text_put(out, " tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"%zu\"", count,
             totals->of[TEST_FAILED], totals->of[TEST_SKIPPED]);
    put_seconds(totals->host_ns, out);
    text_put(out, ">\n");
    for (size_t at = 0; at < count;)
        at += put_suite(&cases[at], count - at, out);
    text_put(out, "</testsuites>\n");
}

/* JSON lines --------------------------------------------------------------------------------------
 */

static void put_json_case(const struct test_case *c, struct bytes *out)
{
    static const char *const words[] = {"passed", "failed", "skipped"};
    const struct test_result *r = &c->result;
    struct json j = {.out = out};
    json_open(&j, NULL, '{');
    json_string(&j, "file", c->path);
    json_string(&j, "name", c->name);
    json_string(&j, "outcome", words[r->outcome]);
    if (*r->why)
        json_string(&j, "why", r->why);
    if (r->line)
        json_number(&j, "line", r->line);
    if (*r->trace)
        json_string(&j, "trace", r->trace);
    if (r->has_seed)
        json_number(&j, "seed", r->seed);
    if (r->has_run) {
        json_number(&j, "status", (uint64_t)r->status);
        json_number(&j, "instructions", r->instructions);
        json_number(&j, "ns", r->ns);
        json_string(&j, "digest", r->digest);
    }
    json_number(&j, "host_ns", c->host_ns);
    json_close(&j, '}');
    text_put(out, "\n");
}

void test_report_json(const struct test_case *cases, size_t count, const struct test_totals *totals,
                      struct bytes *out)
{
    for (size_t i = 0; i < count; i++)
        put_json_case(&cases[i], out);
    struct json j = {.out = out};
    json_open(&j, NULL, '{');
    json_number(&j, "passed", totals->of[TEST_PASSED]);
    json_number(&j, "failed", totals->of[TEST_FAILED]);
    json_number(&j, "skipped", totals->of[TEST_SKIPPED]);
    json_number(&j, "host_ns", totals->host_ns);
    json_close(&j, '}');
    text_put(out, "\n");
}
