"""What each kind of job does: one service verb."""

from collections.abc import Awaitable, Callable, Mapping

from notifier.domain.jobs import JobKind
from notifier.services import (
    alarming,
    assessing,
    attending,
    capturing,
    curing,
    daily,
    deconfliction,
    dispatch,
    files,
    hearing,
    holds,
    hop_watch,
    inbound,
    ladder,
    lifecycle,
    lifting,
    outcomes,
    polling,
    proving,
    releasing,
    sending,
    stamping,
    telling,
    undoing,
    uploads,
    watching,
)
from notifier.services.context import Context
from notifier.worker.runner import Handler


def handlers(ctx: Context) -> Mapping[JobKind, Handler]:
    """What each kind of job does: one service verb."""

    def bound(verb: Callable[[Context, str], Awaitable[None]]) -> Handler:
        return lambda ref: verb(ctx, ref)

    return {
        JobKind.CHECK: bound(dispatch.check),
        JobKind.ASSESS: bound(assessing.assess_again),
        JobKind.CAPTURE: bound(capturing.capture),
        JobKind.DISPATCH: bound(dispatch.dispatch),
        JobKind.SEND: bound(sending.send),
        JobKind.OBSERVE: bound(outcomes.observe),
        JobKind.CLOCK_ENDED: bound(outcomes.clock_ended),
        JobKind.READ_INBOUND: bound(inbound.read_inbound),
        JobKind.STAMP: bound(stamping.stamp),
        JobKind.ERASE: bound(files.erase),
        JobKind.RELEASE: bound(deconfliction.lapse),
        JobKind.REMIND: bound(ladder.remind),
        JobKind.ANSWER_OWED: bound(ladder.answer_owed),
        JobKind.POLL: bound(polling.poll),
        JobKind.UNDO_CLOCK: bound(undoing.undo_clock),
        JobKind.TASK_OVERDUE: bound(attending.overdue),
        JobKind.DAILY_LIST: bound(daily.send),
        JobKind.TELL_OLD: bound(telling.tell),
        JobKind.CHANGE: bound(telling.change),
        JobKind.WATCH: bound(watching.watch),
        JobKind.TELL_ALARM: bound(alarming.tell),
        JobKind.APPEAL_MATCH: bound(proving.match),
        JobKind.APPEAL_PROVE: bound(proving.prove),
        JobKind.APPEAL_DUE: bound(hearing.due),
        JobKind.LOOK_BACK: bound(lifting.look_back),
        JobKind.HOLD_REVIEW: bound(holds.review_due),
        JobKind.LIFECYCLE: bound(lifecycle.follow),
        JobKind.HOP_WATCH: bound(hop_watch.watch),
        JobKind.CURE: bound(curing.look_for_cure),
        JobKind.EVENT_OVER: bound(releasing.over),
        JobKind.SEE_RELEASE: bound(releasing.see_release),
        JobKind.UPLOAD: bound(uploads.take_rows),
    }
