#!/usr/bin/env python3
"""Runs every `$ command` of README.md's blocks again and writes what it prints below it. Argument: the folder of the program."""

import os
import re
import subprocess
import sys

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
env = dict(os.environ, NO_COLOR="1", PATH=os.path.abspath(sys.argv[1]) + os.pathsep + os.environ["PATH"])


def printed(command):
    quiet = command.replace("wavetank run", "wavetank run --no-report")
    done = subprocess.run(quiet, shell=True, capture_output=True, text=True, env=env)
    lines = (done.stdout + done.stderr).rstrip().splitlines()
    return [f"$ {command}", *(line.rstrip() for line in lines)]


def block(match):
    commands = [line[2:] for line in match.group(0).splitlines() if line.startswith("$ ")]
    if not commands:
        return match.group(0)
    texts = ["\n".join(printed(command)) for command in commands]
    return "```\n" + "\n\n".join(texts) + "\n```"


with open("README.md", encoding="utf-8") as file:
    text = file.read()
text = re.sub(r"^```\n.*?^```$", block, text, flags=re.S | re.M)
with open("README.md", "w", encoding="utf-8") as file:
    file.write(text)
