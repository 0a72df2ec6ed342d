"""What follows from the verdicts on a canary in one step of a policy; the controller and the simulation both ask here.

roll_back    a criterion that rolls back is broken, or one under investigation still is after `longest_hours`
hold         a criterion that holds is broken: the share stays, a person decides
step_back    beyond a limit with all of the traffic, so that nobody answers beside it: the share before gives a control
ask          `longest_hours` are over without an answer: the share stays, a person decides
advance      every criterion passes, and `shortest_hours` are over
investigate  a criterion under investigation is broken: the share stays, people are told
wait         anything else
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from registry.policy import BreachAction, Policy

Action = Literal["wait", "investigate", "advance", "ask", "step_back", "hold", "roll_back"]
ACTIONS: tuple[Action, ...] = ("wait", "investigate", "advance", "ask", "step_back", "hold", "roll_back")

Mask = NDArray[np.bool_]


def decide(
    policy: Policy,
    breaches: Mapping[str, Mask],
    passes: Mapping[str, Mask],
    hours: NDArray[np.float64],
    is_unopposed: Mask | np.bool_ = np.False_,
) -> NDArray[np.int8]:
    """Places in ACTIONS, elementwise: `breaches` and `passes` by the name of each criterion, `hours` in the step,
    `is_unopposed` where the canary is beyond a limit and has all of the traffic.

    A criterion of the policy that `passes` does not name has not passed.
    """
    shape = np.broadcast_shapes(np.shape(hours), *(np.shape(mask) for mask in (*breaches.values(), *passes.values())))
    broken: dict[BreachAction, Mask] = {
        action: _any([breaches[c.name] for c in policy.criteria if c.on_breach == action and c.name in breaches], shape)
        for action in ("roll_back", "hold", "investigate")
    }
    kept = ~_any([~np.asarray(passes.get(c.name, np.False_)) for c in policy.criteria], shape)
    is_over = np.broadcast_to(np.asarray(hours) >= policy.longest_hours, shape)
    is_baked = np.broadcast_to(np.asarray(hours) >= policy.shortest_hours, shape)
    return np.select(
        [
            broken["roll_back"] | (broken["investigate"] & is_over),
            broken["hold"],
            np.broadcast_to(is_unopposed, shape),
            broken["investigate"],
            kept & is_baked,
            is_over,
        ],
        [
            np.int8(ACTIONS.index(action))
            for action in ("roll_back", "hold", "step_back", "investigate", "advance", "ask")
        ],
        np.int8(ACTIONS.index("wait")),
    )


def _any(masks: list[Mask], shape: tuple[int, ...]) -> Mask:
    found = np.zeros(shape, np.bool_)
    for mask in masks:
        found = found | mask
    return found
