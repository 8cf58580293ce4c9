"""The work that a step may ask for: now, or at a moment of business time. The queue and the timers use the same names."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class JobKind(StrEnum):
    """The work a step may ask for; the queue and the timers use the same names."""

    CHECK = "case.check"
    ASSESS = "case.assess"
    CAPTURE = "case.capture"
    DISPATCH = "case.dispatch"
    OBSERVE = "case.observe"
    CLOCK_ENDED = "case.clock_ended"
    SEND = "notice.send"
    READ_INBOUND = "inbound.read"
    STAMP = "notice.stamp"
    ERASE = "case.erase"
    RELEASE = "case.release"
    REMIND = "notice.remind"
    ANSWER_OWED = "notice.answer_owed"
    POLL = "notice.poll"
    UNDO_CLOCK = "notice.undo_clock"
    TASK_OVERDUE = "task.overdue"
    DAILY_LIST = "agreement.daily_list"
    TELL_OLD = "channel.tell_old"
    CHANGE = "channel.change"
    WATCH = "notice.watch"
    TELL_ALARM = "alarm.tell"
    APPEAL_MATCH = "appeal.match"
    APPEAL_PROVE = "appeal.prove"
    APPEAL_DUE = "appeal.due"
    LOOK_BACK = "case.look_back"
    HOLD_REVIEW = "case.hold_review"
    LIFECYCLE = "case.lifecycle"
    HOP_WATCH = "case.hop_watch"
    CURE = "case.look_for_cure"
    EVENT_OVER = "event.over"
    SEE_RELEASE = "event.see_release"
    UPLOAD = "upload.take_rows"


URGENT = 10  # the priority of urgent cases, of what asks for less, and of what leaves with its approval


@dataclass(frozen=True, slots=True)
class Job:
    """Do `kind` for `ref` now."""

    kind: JobKind
    ref: str
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Timer:
    """Do `kind` for `ref` at `due_at` of business time."""

    kind: JobKind
    ref: str
    due_at: datetime
