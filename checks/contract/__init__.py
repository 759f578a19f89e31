"""Checks of the contract: every legitimate flow, and the rules around it.

The names here are what other checks need: ``needs=contract.payments`` is reached only if payments
can be taken and read back.
"""

service = ("contract/the_service_is_ready",)
merchants = ("contract/a_merchant_gets_a_client_that_can_log_in",)
accounts = ("contract/an_account_is_opened_and_read_back",)
deposits = ("contract/a_deposit_credits_an_account",)
transfers = (*deposits, "contract/a_transfer_moves_money")
sales = ("contract/a_sale_is_captured_and_credited",)
payments = (*sales, "contract/an_authorisation_is_captured_later")
voids = ("contract/an_authorisation_is_voided",)
refunds = ("contract/a_capture_is_refunded_in_parts",)
declines = (
    "contract/a_declined_card_is_answered_402",
    "contract/a_declined_follow_up_is_answered_402",
)
quotes = (*deposits, "contract/a_quote_is_priced_and_executed")
payouts = (*deposits, "contract/a_payout_is_approved")
events = (*deposits, "contract/money_that_comes_in_is_told")
endpoints = (*service, "contract/an_endpoint_is_registered_and_read_back")
deliveries = (*endpoints, *events, "contract/an_event_is_delivered")
lists = ("contract/a_list_is_paged",)
