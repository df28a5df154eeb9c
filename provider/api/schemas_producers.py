"""What people change of a remote record producer."""

from bridge.schemas import Identifier, SafeStr, StrictSchema
from provider.api.schemas import about


class EditProducerSchema(StrictSchema):
    """What is not told stays."""

    name = Identifier(max_length=200, metadata=about("For people.", "SD-WAN Package"))
    short_description = SafeStr(max_length=500, metadata=about("In a sentence.", "Managed SD-WAN"))
    category = SafeStr(max_length=120, metadata=about("Where it is shown.", "Networking"))
    compatibility = SafeStr(max_length=20, metadata=about("The least version a consumer has to speak.", "1.0"))
