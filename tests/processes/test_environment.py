"""Which variable reaches which process: an allow-list, own secrets, and read credentials of declared inputs."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh_defs.processes.environment import Resident, environment_of, owner_of, unclear

DOMAINS = ("events", "people", "shop")
SHOP = Resident(location="shop", domain="shop", reads=frozenset({"people"}))


def environment(
    resident: Resident = SHOP,
    *,
    environ: Mapping[str, str] | None = None,
    secrets: Mapping[str, Mapping[str, str]] | None = None,
    domains: tuple[str, ...] = DOMAINS,
) -> dict[str, str]:
    return environment_of(resident, domains=domains, environ=environ or {}, secrets=secrets or {})


def test_what_a_process_needs_to_run_is_given_and_nothing_else() -> None:
    harmless = {"PATH": "/bin", "HOME": "/h", "LC_ALL": "C", "PYTHONPATH": "x", "DAGSTER_HOME": "/d", "MESH_ROOT": "/m"}
    other = (
        "AWS_SECRET_ACCESS_KEY",
        "PGPASSWORD",
        "GITHUB_TOKEN",
        "XPATH",
        "PATHS",
        "MESH_PRINCIPAL",
        "MESH_SECRETS",
        "X",
    )
    given = environment(environ={**harmless, **dict.fromkeys(other, "secret")})
    assert given == {**harmless, "MESH_LOCATION": "shop"}


def test_its_own_credentials_come_from_the_environment_and_its_file_and_the_environment_goes_before() -> None:
    given = environment(
        environ={"MESH_SHOP_POSTGRES": "outer", "MESH_SHOP_TILL_TOKEN": "t"},
        secrets={"shop": {"MESH_SHOP_POSTGRES": "file", "MESH_SHOP_S3": "s3", "SHOPIFY_TOKEN": "any name"}},
    )
    assert given["MESH_SHOP_POSTGRES"] == "outer"
    assert (given["MESH_SHOP_S3"], given["MESH_SHOP_TILL_TOKEN"], given["SHOPIFY_TOKEN"]) == ("s3", "t", "any name")


@pytest.mark.parametrize("from_file", [True, False])
def test_of_a_declared_input_only_what_reads_is_given(from_file: bool) -> None:
    theirs = {
        "MESH_PEOPLE_POSTGRES": "writes",
        "MESH_PEOPLE_POSTGRES_READ": "reads",
        "MESH_PEOPLE_S3": "writes",
        "MESH_PEOPLE_S3_READ": "reads",
        "MESH_PEOPLE_STORAGE": "/lake",
        "MESH_PEOPLE_WAREHOUSE": "/private.duckdb",
        "MESH_PEOPLE_TOKEN": "private",
        "MESH_PEOPLE_POSTGRES_READ_FOR_EVENTS": "another's role",
        "PEOPLE_API_KEY": "private",
    }
    given = environment(secrets={"people": theirs}) if from_file else environment(environ=theirs)
    assert given == {
        "MESH_LOCATION": "shop",
        "MESH_PEOPLE_POSTGRES_READ": "reads",
        "MESH_PEOPLE_S3_READ": "reads",
        "MESH_PEOPLE_STORAGE": "/lake",
    }


def test_of_a_domain_that_is_no_declared_input_nothing_is_given() -> None:
    theirs = {
        "MESH_EVENTS_POSTGRES_READ": "r",
        "MESH_EVENTS_POSTGRES_READ_FOR_SHOP": "r",
        "MESH_EVENTS_STORAGE": "/e",
        "MESH_EVENTS_S3": "w",
    }
    assert environment(environ=theirs, secrets={"events": theirs}) == {"MESH_LOCATION": "shop"}


def test_a_role_for_exactly_this_reader_stands_in_the_place_of_the_general_one() -> None:
    offered = {"MESH_PEOPLE_POSTGRES_READ": "everybody's", "MESH_PEOPLE_POSTGRES_READ_FOR_SHOP": "shop's"}
    for order in (offered, dict(reversed(offered.items()))):
        given = environment(secrets={"people": order})
        assert given == {"MESH_LOCATION": "shop", "MESH_PEOPLE_POSTGRES_READ": "shop's"}


def test_what_a_domain_was_given_for_its_own_file_goes_before_what_is_offered_to_all() -> None:
    secrets = {
        "people": {"MESH_PEOPLE_POSTGRES_READ": "everybody's"},
        "shop": {"MESH_PEOPLE_POSTGRES_READ": "handed over"},
    }
    assert environment(secrets=secrets)["MESH_PEOPLE_POSTGRES_READ"] == "handed over"


KEYS = {"MESH_TOKENS_EMAIL": "e", "MESH_TOKENS_PERSON": "p", "MESH_TOKENS_CARD": ""}


@pytest.mark.parametrize("from_file", [True, False])
def test_only_the_keys_of_its_own_tokens_are_given(from_file: bool) -> None:
    told = {"secrets": {"tokens": KEYS}} if from_file else {"environ": KEYS}
    resident = Resident(location="shop", domain="shop", kinds=frozenset({"email", "card"}))
    assert environment(resident, **told) == {"MESH_LOCATION": "shop", "MESH_TOKENS_EMAIL": "e"}  # type: ignore[arg-type]
    assert environment(SHOP, **told) == {"MESH_LOCATION": "shop"}  # type: ignore[arg-type]


def test_no_domain_has_a_key_of_its_own() -> None:
    resident = Resident(location="shop", domain="shop", kinds=frozenset({"email"}))
    own = {"MESH_TOKENS_EMAIL": "forged", "MESH_TOKENS_CARD": "forged"}
    assert environment(resident, secrets={"shop": own}) == {"MESH_LOCATION": "shop"}
    given = environment(resident, secrets={"shop": own, "tokens": KEYS}, environ={"MESH_TOKENS_EMAIL": "outer"})
    assert given["MESH_TOKENS_EMAIL"] == "outer"


def test_an_empty_value_is_no_role() -> None:
    offered = {"MESH_PEOPLE_POSTGRES_READ": "everybody's", "MESH_PEOPLE_POSTGRES_READ_FOR_SHOP": ""}
    assert environment(environ=offered)["MESH_PEOPLE_POSTGRES_READ"] == "everybody's"


def test_no_file_moves_the_mesh_or_names_another_location() -> None:
    forged = dict.fromkeys(("MESH_LOCATION", "MESH_ROOT", "MESH_HOME", "MESH_ENV", "DAGSTER_HOME"), "forged")
    given = environment(environ={"MESH_ROOT": "/mesh"}, secrets={"shop": forged})
    assert given == {"MESH_ROOT": "/mesh", "MESH_LOCATION": "shop"}


def test_a_file_offers_readers_nothing_of_a_third_domain() -> None:
    """people's file cannot send its readers to another events."""
    secrets = {"people": {"MESH_EVENTS_POSTGRES_READ": "forged", "MESH_SHOP_POSTGRES": "forged", "PATH": "forged"}}
    assert environment(environ={"PATH": "/bin"}, secrets=secrets) == {"PATH": "/bin", "MESH_LOCATION": "shop"}


def test_daemon_and_web_have_no_domains_secrets() -> None:
    everything = {
        f"MESH_{domain.upper()}_{rest}": "x" for domain in DOMAINS for rest in ("POSTGRES", "S3_READ", "STORAGE")
    }
    secrets = {**dict.fromkeys(DOMAINS, everything), "dagster": {"AWS_PROFILE": "logs"}}
    given = environment(Resident(location="web"), environ=everything, secrets=secrets)
    assert given == {"MESH_LOCATION": "web", "AWS_PROFILE": "logs"}


def test_the_platform_reads_only_by_roles_that_were_made_for_it() -> None:
    offered = {
        "MESH_PEOPLE_POSTGRES": "writes",
        "MESH_PEOPLE_POSTGRES_READ": "everybody's",
        "MESH_PEOPLE_STORAGE": "/lake",
        "MESH_SHOP_POSTGRES_READ_FOR_PLATFORM": "versions only",
    }
    platform = Resident(location="platform", reads=frozenset(DOMAINS))
    told = {"MESH_LOCATION": "platform", "MESH_PEOPLE_STORAGE": "/lake"}
    assert environment(platform, environ=offered) == {**told, "MESH_SHOP_POSTGRES_READ": "versions only"}
    assert environment(platform, environ=offered, domains=(*DOMAINS, "platform")) == told


def test_a_domain_that_is_called_dagster_keeps_its_secrets_from_dagsters_own_processes() -> None:
    secrets = {"dagster": {"TOKEN": "private"}}
    assert "TOKEN" not in environment(Resident(location="web"), secrets=secrets, domains=("dagster",))


@pytest.mark.parametrize(
    ("name", "domains", "owner"),
    [
        ("MESH_AD_EVENTS_POSTGRES", ("ad", "ad_events"), ("ad_events", "POSTGRES")),
        ("MESH_AD_POSTGRES", ("ad", "ad_events"), ("ad", "POSTGRES")),
        ("MESH_AD_EVENTS_POSTGRES", ("ad",), ("ad", "EVENTS_POSTGRES")),
        ("MESH_EVENTS_READ_POSTGRES", ("events", "events_read"), ("events_read", "POSTGRES")),
        ("MESH_EVENTS_POSTGRES_READ", ("events", "events_postgres"), ("events", "POSTGRES_READ")),
        ("MESH_EVENTS_POSTGRES_READ", ("events", "events_read"), ("events", "POSTGRES_READ")),
        ("MESH_EVENTS_READ_POSTGRES_READ", ("events", "events_read"), ("events_read", "POSTGRES_READ")),
        ("MESH_A_S3_READ_FOR_B", ("a", "b", "a_s3"), ("a", "S3_READ_FOR_B")),
        ("MESH_A_S3_READ_FOR_B_S3", ("a", "b_s3", "a_s3_read_for_b"), None),
        ("MESH_AD_EVENTS_TOKEN", ("ad", "ad_events"), None),
        ("MESH_ADS_POSTGRES", ("ad",), None),
        ("MESH_AD_", ("ad",), None),
        ("MESH_HOME", ("ad",), None),
        ("mesh_ad_postgres", ("ad",), None),
    ],
)
def test_a_variable_belongs_to_one_domain_or_to_none(
    name: str, domains: tuple[str, ...], owner: tuple[str, str] | None
) -> None:
    assert owner_of(name, domains) == owner


def test_a_domain_whose_name_begins_anothers_gets_nothing_of_it() -> None:
    theirs = {
        "MESH_AD_EVENTS_POSTGRES": "w",
        "MESH_AD_EVENTS_POSTGRES_READ": "r",
        "MESH_AD_EVENTS_STORAGE": "s",
        "MESH_AD_EVENTS_TOKEN": "t",
        "MESH_AD_POSTGRES_READ": "ad's",
    }
    domains = ("ad", "ad_events", "shop")
    assert environment(Resident(location="ad", domain="ad"), environ=theirs, domains=domains) == {
        "MESH_LOCATION": "ad",
        "MESH_AD_POSTGRES_READ": "ad's",
    }
    reader = Resident(location="shop", domain="shop", reads=frozenset({"ad"}))
    for more in ({"environ": theirs}, {"secrets": {"ad": theirs, "ad_events": theirs}}):
        assert environment(reader, **more, domains=domains) == {  # type: ignore[arg-type]
            "MESH_LOCATION": "shop",
            "MESH_AD_POSTGRES_READ": "ad's",
        }


def test_what_could_be_of_two_domains_is_named() -> None:
    assert unclear(("MESH_AD_EVENTS_TOKEN", "MESH_AD_TOKEN", "MESH_HOME"), ("ad", "ad_events")) == (
        "MESH_AD_EVENTS_TOKEN",
    )


_NAMES = st.sampled_from(["a", "b", "a_b", "a_s3", "a_postgres_read", "b_a", "a_read", "a_s3_read_for_b"])
_RESTS = st.sampled_from(
    ["POSTGRES", "POSTGRES_READ", "S3", "S3_READ", "STORAGE", "WAREHOUSE", "TOKEN", "S3_READ_FOR_B"]
)


@given(st.sets(_NAMES, min_size=2), st.lists(st.tuples(_NAMES, _RESTS)), st.data())
def test_what_writes_never_reaches_another_domain(
    domains: set[str], variables: list[tuple[str, str]], data: st.DataObject
) -> None:
    """Whatever the domains are called: who sees a value that writes is the domain whose settings would read that name."""
    environ = {f"MESH_{domain.upper()}_{rest}": f"{domain}/{rest}" for domain, rest in variables}
    mine = data.draw(st.sampled_from(sorted(domains)))
    me = Resident(location=mine, domain=mine, reads=frozenset(data.draw(st.sets(st.sampled_from(sorted(domains))))))
    given = environment(me, environ=environ, domains=tuple(domains))
    for other in domains - {mine}:
        for rest in ("POSTGRES", "S3", "WAREHOUSE"):
            name = f"MESH_{other.upper()}_{rest}"
            assert name not in given or name == f"MESH_{mine.upper()}_{rest}"
        if other not in me.reads:
            assert f"MESH_{other.upper()}_POSTGRES_READ" not in given
