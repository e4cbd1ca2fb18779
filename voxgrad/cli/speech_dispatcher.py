"""The configuration with which speech-dispatcher, and so screen readers on Linux, speak with a voice."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voxgrad.store import Artifact

_TEMPLATE = """\
# {voice}, by voxgrad. Save this as ~/.config/speech-dispatcher/modules/voxgrad.conf and add to speechd.conf there:
#   AddModule "voxgrad" "sd_generic" "voxgrad.conf"
#   DefaultModule "voxgrad"
GenericExecuteSynth \\
"printf %s \\'$DATA\\' | {command} -q --home {home} say --voice {ref} --speed $RATE -o - | $PLAY_COMMAND"
GenericCmdDependency {dependency}
GenericLanguage "en" "en" "utf-8"
# -100 to 100 become speeds of 0.2 to 1.8.
GenericRateAdd 1
GenericRateMultiply 0.8
AddVoice "en" "MALE1" "{name}"
AddVoice "en" "FEMALE1" "{name}"
DefaultVoice "{name}"
"""


def module_configuration(voice: "Artifact", home: Path) -> str:
    """A configuration of speech-dispatcher's generic module.

    Args:
        voice: a voice, a base or a graph; its version is named, so that the configuration goes on to mean it.
        home: of the store.
    """
    command = Path(sys.argv[0]).absolute()
    return _TEMPLATE.format(
        voice=voice,
        command=shlex.quote(str(command)),
        dependency=f'"{command}"',
        home=shlex.quote(str(home)),
        ref=shlex.quote(f"{voice.kind}/{voice.ref}"),
        name=voice.name,
    )
