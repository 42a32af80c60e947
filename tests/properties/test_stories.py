"""Random stories of six people on one node, and on two."""

from __future__ import annotations

from tests.properties.machine import Story, StoryOfTwoNodes
from tests.properties.profiles import profile

TestOneNode = Story.TestCase
TestOneNode.settings = profile()
TestTwoNodes = StoryOfTwoNodes.TestCase
TestTwoNodes.settings = profile()
