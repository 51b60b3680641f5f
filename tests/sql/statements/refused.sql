-- One statement per line; none may pass the parser. `base` stands for an attached database, `pin_…` for what the engine offers.
-- Not a SELECT, or more than one
copy (from base.main.orders) to '/tmp/x.parquet'
attach '/tmp/x.duckdb' as z
set search_path = 'base.main'
pragma table_info(error('x'))
call duckdb_databases()
create table pwn as from events.impressions
drop view events.impressions
insert into events.impressions select * from events.impressions
merge into events.impressions o using events.clicks s on o.x = s.x when matched then delete
explain analyze select * from events.impressions
describe events.impressions
show all tables
prepare p as select 1
execute p
install httpfs
begin transaction
checkpoint
;;select 1
select 1; select 2
select 1; create table pwn3(a int)
with x as (insert into events.impressions values (1) returning *) select * from x
with x as (delete from events.impressions returning *) select * from x
with x as (update events.impressions set a = 1 returning *) from x
select 1 into x
select * from events.impressions for update
from events.impressions |> select a
select * from (show all tables)
select * from (describe events.impressions)
from (call duckdb_tables())
-- Names of one part, three parts, files
select * from impressions
select * from pin_events__impressions
select * from "pin_events__impressions"
from PIN_events__impressions
table pin_events__impressions
select (select max(a) from pin_events__impressions)
select * from base.main.orders
from memory.main.pin_events__impressions
select * from "base"."main"."orders"
select * from base.main.orders at (version => 1)
select * from events.impressions at (version => 1)
select * from "events.impressions"
select * from 'x.parquet'
select * from "x.parquet"
from 's3://bucket/x.parquet'
select * from "https://example.com/x.csv"
select * from '/etc/passwd'
from sqlite_master
from pg_tables
from duckdb_schemas
select * from events."im/pressions"
select * from "1events".impressions
select * from events.impressions_ü
select * from ​events.impressions
select array(select note from base.main.orders)
select * from events.impressions order by (select max(a) from base.main.orders)
select * from events.impressions limit (select count(*) from base.main.orders)
select * from (values ((select max(a) from base.main.orders)))
select list_transform([1], lambda x: (select max(a) from base.main.orders))
select * from events.impressions where a > all (select a from base.main.orders)
select sum(a) over (order by (select a from base.main.orders limit 1)) from events.impressions
select count(*) filter (where exists (from base.main.orders)) from events.impressions
select * from events.impressions group by rollup((select a from base.main.orders limit 1))
select unnest((select list(a) from base.main.orders))
from unnest((select list(a) from base.main.orders))
from range(1, (select count(*) from base.main.orders))
select case when exists (from base.main.orders) then 1 end
select {'a': (select max(a) from base.main.orders)}
select [(select max(a) from base.main.orders)]
select [x for x in (select list(a) from base.main.orders)]
select cast((select a from base.main.orders) as int)
select 1 in (select a from base.main.orders)
select * from events.impressions qualify row_number() over (order by (select a from base.main.orders)) = 1
select * from events.impressions using sample 3 where a = (select max(a) from base.main.orders)
select * from a.b join base.main.orders using (x)
select * from a.b positional join base.main.orders
select * from (pivot base.main.orders on a in (1) using max(b))
select * from (unpivot base.main.orders on a, b)
select * from a.b pivot (max(c) for d in (select x from base.main.orders))
-- WITH names where the engine would not see them
with a as (select * from a) select * from a
with a as (select * from b), b as (select 1) select * from a
with recursive a as (select * from b), b as (select 1) select * from a
with recursive a as (select * from a) select * from a
with recursive a as (select * from a union all select 1) select * from a
with recursive a as ((select 1) union all select 2 union all (select 3 from b)) select * from a
with recursive a as (with q as (select * from a) select 1 union all select * from q) select * from a
with recursive duckdb_settings as (select * from duckdb_settings union all select 1) select * from duckdb_settings
(with a as (select 1 x) select * from a) union all select * from a
select (with a as (select 1 x) select x from a), (select x from a)
select * from (with a as (select 1) select * from a), a
with pin_events__impressions as (select 1) select * from pin_events__impressions
with "PIN_events__impressions" as (select 1) select 1
with duckdb_tables as (select 1) select * from duckdb_tables
with information_schema as (select 1) select * from information_schema
with "x.parquet" as (select 1) select * from "x.parquet"
with "/etc/passwd" as (select 1) select * from "/etc/passwd"
with "c as (select 1)) select * from base.main.orders --" as (select 1 z) select 1
with "Ä" as (select 1) select * from "ä"
with a(x) as (values (1)), b as (table c) select * from b
-- Functions
from read_parquet('x.parquet')
select * from read_csv('x.csv')
from glob('/etc/*')
from query('select 1')
select * from query_table('base.main.orders')
select * from duckdb_secrets()
from pragma_show('x')
from which_secret('s3://b', 's3')
from repeat(1, 2)
from main.range(3)
from system.main.range(3)
from postgres_scan('dbname=x', 'public', 't')
from lateral read_csv('x')
select * from a.b, lateral query('from pin_a__b')
select getenv('HOME')
select GetEnv('HOME')
select 'HOME'.getenv()
select main.getenv('HOME')
select system.main.getenv('HOME')
select "getenv"('HOME')
select "foo) from base.main.orders --"(1)
select a."b c"(1) from a.b
select list_transform(['HOME'], x -> getenv(x))
select [x for x in ['HOME'] if getenv(x) is not null]
select current_setting('secret_directory')
select nextval('sq')
select json_serialize_plan('from a.b')
select json_execute_serialized_sql('{}')
select error('x')
select alias((select max(x) from a.b))
select stats(a) from a.b
select pg_sleep(1)
select write_log('x')
select current_user
select session_user
select current_query()
select getvariable('x')
select sum(error(a)) filter (where true) over () from a.b
-- Parameters, types, text that would end what it stands in
select ?
select $1
select $"a b"
select * from a.b where x = :x
select cast(x as mood) from a.b
select 1::"main"."mood"
select order_id collate "nocase from base.main.orders --" from a.b where (select 1 from base.main.orders) = 1
select interval 1 "day from base.main.orders --"
select e'\u0041'
select e'\x41'
select x'AB'
select N'x'
select 'a
-- Operators that are read otherwise
select a ~~ b from a.b
select a <=> b from a.b
select @a from a.b
select a ~ b || c from a.b
select a and c ->> 'x' = 'y' from a.b
select a == b || c from a.b
select - ~ a collate nocase from a.b
-- Broken
select
select from where
select * from
select ->> 'a'
select {: 1}
select ((1)
select 1)
select * from events.
select * from .impressions
with a as select 1
pivot a.b on x using sum(y)
select * from (pivot a.b on x using sum(y))
select * from a.b pivot (sum(y) for x in some_enum)
