"""Configuration, from the environment only."""

from collections.abc import Mapping
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

Seconds = Annotated[float, Field(gt=0, le=3600)]
Address = Annotated[str, Field(pattern=r"^(https?://|$)")]
Count = Annotated[int, Field(ge=1, le=1000)]


class SettingsError(Exception):
    """The environment does not configure the service; the message says what to mend."""


class Settings(BaseModel):
    """Everything that can be set; each field is the environment variable of the same name.

    Times are in seconds, fees in hundredths of a per cent: of the captured amount, of what is sold.
    ``fx_max_deviation`` is a share, ``payout_daily_limit`` in minor units of each currency. Without
    ``fx_url`` there are no quotes, without ``notifier_url`` no approvals of payouts, and without
    ``bank_url`` approved payouts wait. Without ``broker_url`` events are published to the database.
    ``rate_limit_per_second`` is of each client and each address at each replica, and 0 none.
    At ``metrics_port``, if it is not 0, the worker tells its metrics; without
    ``otel_exporter_otlp_endpoint`` there are no traces.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    database_url: SecretStr
    admin_token: SecretStr = Field(min_length=16)
    jwt_private_key: SecretStr
    public_url: str = Field(min_length=1)
    psp_url: str = Field(pattern=r"^https?://")
    psp_api_key: SecretStr
    psp_webhook_secret: SecretStr = SecretStr("")

    auth_max_failures: Count = 10
    auth_lockout_seconds: Seconds = 5
    access_token_seconds: Annotated[int, Field(ge=1, le=900)] = 600

    rate_limit_per_second: Annotated[float, Field(ge=0, le=100_000)] = 0
    rate_limit_burst: Annotated[int, Field(ge=1, le=1_000_000)] = 100

    claim_lease_seconds: Seconds = 2
    fee_bps: Annotated[int, Field(ge=0, le=10_000)] = 150

    psp_deadline_seconds: Seconds = 5
    psp_max_attempts: Count = 3
    breaker_failures: Count = 5
    breaker_reset_seconds: Seconds = 2
    reconcile_interval_seconds: Seconds = 1
    publish_interval_seconds: Seconds = 0.2
    broker_url: SecretStr = SecretStr("")
    webhook_retry_seconds: Seconds = 5
    webhook_allowed_cidrs: tuple[IPv4Network | IPv6Network, ...] = ()
    webhook_ca_file: str = ""
    dns_server: Annotated[str, Field(pattern=r"^([0-9.]+(:[0-9]{1,5})?)?$")] = ""

    fx_url: Address = ""
    fx_api_key: SecretStr = Field(default=SecretStr(""), validate_default=True)
    fx_max_age_seconds: Seconds = 300
    fx_max_deviation: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.10")
    quote_ttl_seconds: Seconds = 60
    quote_fee_bps: Annotated[int, Field(ge=0, le=10_000)] = 50

    bank_url: Address = ""
    bank_api_key: SecretStr = Field(default=SecretStr(""), validate_default=True)
    bank_webhook_secret: SecretStr = Field(default=SecretStr(""), validate_default=True)
    notifier_url: Address = ""
    notifier_api_key: SecretStr = Field(default=SecretStr(""), validate_default=True)
    payout_daily_limit: Annotated[int, Field(ge=1)] = 100_000_000
    payout_poll_seconds: Seconds = 60
    sca_code_seconds: Seconds = 300
    webhook_tolerance_seconds: Seconds = 300
    settlement_after_seconds: Annotated[float, Field(ge=0, le=86_400)] = 3600
    settlement_interval_seconds: Seconds = 300

    metrics_host: str = Field(default="127.0.0.1", min_length=1)
    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    metrics_interval_seconds: Seconds = 15
    otel_exporter_otlp_endpoint: Address = ""
    otel_service_name: str = "payments"

    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("jwt_private_key", mode="before")
    @classmethod
    def _unfold_newlines(cls, value: object) -> object:
        """A PEM on one line writes its newlines as a backslash and an n."""
        return value.replace("\\n", "\n") if isinstance(value, str) else value

    @field_validator("fx_api_key", "bank_api_key", "bank_webhook_secret", "notifier_api_key")
    @classmethod
    def _given_with_the_address(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        address = f"{str(info.field_name).partition('_')[0]}_url"
        if info.data.get(address) and not value.get_secret_value():
            raise ValueError(f"required with {address.upper()}")
        return value

    @field_validator("webhook_allowed_cidrs", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        """Networks in CIDR notation, with commas between them."""
        return tuple(one.strip() for one in value.split(",")) if isinstance(value, str) else value

    @field_validator("broker_url")
    @classmethod
    def _of_a_known_broker(cls, value: SecretStr) -> SecretStr:
        address = value.get_secret_value()
        if address and not address.startswith(("amqp://", "amqps://", "kafka://")):
            raise ValueError("names RabbitMQ by amqp:// or amqps://, or Kafka by kafka://")
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings; a variable that is set but empty counts as not set.

        Raises:
            SettingsError: naming every variable that is missing or makes no sense, never its value.
        """
        given = {
            name: environment[name.upper()]
            for name in cls.model_fields
            if environment.get(name.upper())
        }
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            faults = "; ".join(
                f"{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}"
                for fault in error.errors(include_input=False, include_url=False)
            )
            raise SettingsError(
                f"The environment does not configure the service: {faults}"
            ) from None
