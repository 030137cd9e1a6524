#!/usr/bin/env python3
"""workflows.py: .github/workflows, action.yml and what they and packaging/ run: YAML is well formed, every file
of the project that a command names is there, and its shell is what shellcheck likes. Status 77 where the tools
for that are not. What a runner makes of it is seen there only (docs/hosts.md).
"""
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDERS = "scripts|tests|cmake|packaging|traces|docs|configs"
try:
    import yaml
except ImportError:
    yaml = None

bad = []


def steps_of(tree):
    """Workflows have jobs with steps, actions have steps."""
    jobs = tree.get("jobs", {}).values() if "jobs" in tree else [tree["runs"]]
    return [step for job in jobs for step in job["steps"]]


def shell_is_good(where, text):
    """Expressions of the runner are words to a shell."""
    text = re.sub(r"\$\{\{.*?\}\}", "expression", text)
    done = subprocess.run(["shellcheck", "-x", "-S", "warning", "-s", "bash", "-"], input=text, capture_output=True,
                          text=True, cwd=ROOT)
    if done.returncode:
        bad.append(f"{where}: {done.stdout.strip()}")


def files_are_there(where, text):
    for name in re.findall(rf"(?<![\w/.-])(?:\.?/)?((?:{FOLDERS})/[\w./-]*\w)", text):
        if not (ROOT / name).exists():
            bad.append(f"{where}: there is no {name}")
    for step in re.findall(r"scripts/host\.sh\"? (\w+)", text):
        if not re.search(rf"^{step}\) ", (ROOT / "scripts/host.sh").read_text(), re.M):
            bad.append(f"{where}: scripts/host.sh knows no '{step}'")


def workflow(path):
    tree = yaml.safe_load(path.read_text())
    for number, step in enumerate(steps_of(tree), 1):
        where = f"{path.relative_to(ROOT)}: step {number}"
        if ("run" in step) == ("uses" in step):
            bad.append(f"{where}: runs a command, or uses an action")
        if "run" in step:
            shell_is_good(where, step["run"])
            files_are_there(where, step["run"].replace("$GITHUB_ACTION_PATH/", ""))
        elif not re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"]):
            bad.append(f"{where}: {step['uses']} names no version")
    files_are_there(str(path.relative_to(ROOT)), path.read_text())


def main():
    if not yaml or not shutil.which("shellcheck"):
        print("workflows: no shellcheck, or no YAML module for Python")
        sys.exit(77)
    paths = sorted((ROOT / ".github/workflows").glob("*.yml")) + [ROOT / "action.yml"]
    if len(paths) < 2:
        bad.append("there are no workflows")
    for path in paths:
        workflow(path)
    scripts = [ROOT / "scripts/host.sh", ROOT / "packaging/action.sh", ROOT / "tests/install.sh", ROOT / "tests/package.sh"]
    for path in scripts:
        shell_is_good(path.name, path.read_text())
        files_are_there(path.name, path.read_text().replace("$sources/", ""))
    files_are_there("Containerfile", (ROOT / "packaging/Containerfile").read_text())
    print("\n".join(bad) if bad else f"{len(paths) + len(scripts) + 1} files are well formed")
    sys.exit(1 if bad else 0)


main()
