"""Which server, model and effort are talked to, and what is known of them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING

from textual.screen import Screen
from textual.worker import Worker

from vllm_tui.domain.errors import InvalidRequest, VLLMError
from vllm_tui.settings.options import OPTIONS
from vllm_tui.ui.activity import READY, Status
from vllm_tui.ui.launch import Backend, Launch, demo_launch, with_settings
from vllm_tui.ui.model_choice import Efforts, choose_model
from vllm_tui.ui.turn_show import TurnShow
from vllm_tui.ui.widgets.prompt import Prompt
from vllm_tui.ui.widgets.topline import short_model

if TYPE_CHECKING:
    from vllm_tui.domain.response import ModelInfo
    from vllm_tui.settings.layers import Settings

_NO_SERVER, _NO_MODEL = Status("no server", "error"), Status("no model", "error")
_ASKED_AGAIN = (*(option.name for option in OPTIONS if option.reconnect), "context_window", "max_output_tokens")
"""Options after whose change the server is asked again what it serves."""


class Partner:
    """The model at the other end; runs its work as workers of `screen`.

    `ask_for_model` is called when several models are served and none is the configured one, `offer_server` when
    nobody answers at the start; it returns whether the person is asked.
    """

    def __init__(
        self,
        screen: Screen[None],
        launch: Launch,
        backend: Backend,
        show: TurnShow,
        prompt: Prompt,
        ask_for_model: Callable[[], None],
        offer_server: Callable[[VLLMError], bool],
    ) -> None:
        self.models: tuple[ModelInfo, ...] = ()
        self.model = launch.model
        self.effort = launch.effort
        self.efforts = Efforts()
        self.refusals: dict[str, str] = {}
        self._screen = screen
        self._launch = launch
        self._backend = backend
        self._show = show
        self._prompt = prompt
        self._ask_for_model = ask_for_model
        self._offer_server = offer_server

    def connect(self) -> None:
        """Ask the server what it serves."""
        self._work(self._check_models(), "models", "ask the server for its models")

    def use_settings(self, settings: Settings) -> None:
        """Let `settings` hold from the next question on; a running answer is not disturbed."""
        before, launch = self._backend.settings, with_settings(self._launch, settings)
        self._backend.use_settings(settings)
        is_other_model = launch.model != self._launch.model
        self._launch, self.effort = launch, launch.effort
        self._show.stage.topline.follow(launch, self.model)
        if is_other_model:
            self.use_model(launch.model)
        if is_other_model or any(before.value(name) != settings.value(name) for name in _ASKED_AGAIN):
            self.connect()

    def use_demo(self) -> None:
        """Talk to the built-in demo server from now on."""
        self._backend.use_demo()
        self._launch = demo_launch(self._launch)
        self._show.stage.topline.follow(self._launch, self.model)
        self.connect()

    def choose_model(self, model: str) -> None:
        """Talk to the model the person chose, as a setting of this session."""
        self._backend.use_settings(self._backend.settings.chosen("default_model", model))
        self._launch = with_settings(self._launch, self._backend.settings)
        self.use_model(model)

    def use_model(self, model: str) -> None:
        """Talk to `model` from the next question on."""
        self.model = model
        self._show.use_window(next((info.context_window for info in self.models if info.id == model), None))
        self._show.stage.topline.change(model=model)
        self._prompt.ask_about(short_model(model))

    def use_effort(self, effort: str | None) -> None:
        """Ask with `effort` from the next question on, as a setting of this session; None sends none."""
        self._backend.use_settings(self._backend.settings.chosen("reasoning", effort))
        self._launch = with_settings(self._launch, self._backend.settings)
        self.effort = effort
        self._show.stage.topline.show_effort(effort)
        levels = " · ".join(f"‹{name}›" if name == (effort or "default") else name for name in self.effort_names())
        self._show.stage.hintline.say(f"reasoning effort  {levels}")

    def effort_names(self) -> list[str]:
        """Return the efforts this model takes as words; `default` is not sent."""
        return [level or "default" for level in self.efforts.levels(self.model)]

    def _learn(self, error: VLLMError | None) -> None:
        if not isinstance(error, InvalidRequest) or not error.supported:
            return
        self.efforts.learn(self.model, error.supported)
        if self.effort is not None and self.effort not in self.efforts.levels(self.model):
            refused = self.effort
            self.use_effort(None)
            names = ", ".join(self.effort_names())
            self._show.stage.hintline.say(f"this model takes no effort {refused}; ^R offers {names}", "warning")

    async def _check_models(self, *, is_start: bool = False) -> None:
        stage = self._show.stage
        try:
            self.models = await self._backend.list_models()
        except VLLMError as error:
            self.models = ()
            if is_start and self._offer_server(error):
                self._rest(_NO_SERVER)
                return
            stage.transcript.add_note("error", f"{error} Then /connect asks again.")
            self._rest(_NO_SERVER)
            return
        choice = choose_model(self.model, self.models)
        wanted = self.model
        self.use_model(choice.model)
        if choice.verdict == "substituted":
            stage.transcript.add_note("warning", f"The server does not serve {wanted}. Using {choice.model}.")
        elif choice.verdict == "several":
            stage.transcript.add_note("warning", f"The server does not serve {wanted}. Choose a model: Ctrl+O.")
            self._ask_for_model()
        elif choice.verdict == "none":
            stage.transcript.add_note("error", "The server lists no model. Wait until it has loaded one; /connect.")
        if choice.verdict == "none":
            self._rest(_NO_MODEL)
        else:
            before = self._show.activity.outcome
            self._rest(READY if before in (_NO_SERVER, _NO_MODEL) else before)

    def _rest(self, outcome: Status) -> None:
        if not self._show.is_running:
            self._show.rest(outcome)

    def _work(self, work: Coroutine[None, None, None], group: str, description: str) -> Worker[None]:
        return self._screen.run_worker(
            work, name=group, group=group, exclusive=True, exit_on_error=False, description=description
        )
