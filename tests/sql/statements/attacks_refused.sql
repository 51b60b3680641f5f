-- One attack per line, each refused before anything is rewritten. \uXXXX, \n and \r stand for the characters.
-- look-alikes, invisible characters
select * from sales.оrders
select * from ѕales.orders
select * from sales.orders\u200b
select * from sales\u2024orders
select * from sales\uff0eorders
select * from "sales\u200d"."orders"
select * from\u3000base.main.orders
select * from \u202ebase.main.orders
select * from \u2066sales.orders\u2069
select getenv\u200b('HOME')
select ｇｅｔｅｎｖ('HOME')
select geten\u0076('HOME')
select ſtats(note) from sales.orders
with "sales\u200b" as (select 1) select * from "sales\u200b"
with "ſ" as (select 1 x) select * from s
with "İ" as (select 1 x) select * from "i̇"
with "ｂase" as (select 1) select * from base
with "\ufeffpin_sales__orders" as (select 1) select * from "\ufeffpin_sales__orders"
\ufeffselect * from sales.orders
select * from sales.orders --\r union all select * from base.main.orders
select * from sales.orders --\x0b union all from base.main.orders
-- comments, strings, dollars
select /* /* */ */ note from base.main.orders
select 1 /**/ union /**/ all /**/ from /**/ base.main.orders
select 1 --/* \n from base.main.orders -- */
select $$a$$ from base.main.orders
select $1$x$1$
select '$$' from base.main.orders where '$$' = '$$'
select e'\'' from base.main.orders -- ' from sales.orders
select E'a\\' union all select note from base.main.orders --'
select e'\047 union all select note from base.main.orders --'
select e'\x27 union all select note from base.main.orders --'
select B'01', X'41'
select N'x' 'y'
select 'a' 'b'
select 'a'\n'b'
select * from "sales"."ord""ers"
select * from sales."orders"";drop"
select `note` from sales.orders
select * from [sales].[orders]
select * from `sales`.`orders`
select 'a\' || (select max(note) from base.main.orders) || '\b'
select '' ''''' from base.main.orders --'
-- numbers, parameters, positions
select 1a from base.main.orders
select 1from base.main.orders
select 0x1from base.main.orders
select 1.from base.main.orders
select .5from base.main.orders
select 1e from base.main.orders
select #"note" from sales.orders
select :note from sales.orders
select ?1 from sales.orders
select ?, ? from sales.orders
select $1 from sales.orders
select @note from sales.orders
select @@version
select note! from sales.orders
select order_id! from sales.orders
select {d '2020-01-01'}
select {ts '2020-01-01'}
-- relations
from 'canary.csv'
from "canary.csv"
select * from "base"."main"."orders"
select * from "base.main.orders"
select * from base..orders
select * from a.b.c.d
select * from a.b.c.d.e
select * from .orders
select * from sales.
select * from sales.orders.note
from query('from base.main.orders')
from query_table('base.main.orders')
select * from query('select 1')
from (query('from base.main.orders'))
select * from table(query('from base.main.orders'))
select * from table query('x')
table base.main.orders
select * from orders
select * from pin_sales__orders
select * from temp.main.pin_sales__orders
select * from system.information_schema.tables
select * from df
select * from con
select * from _
select * from "df"
select note 'x' from sales.orders
select note into x from sales.orders
select note into temp x from sales.orders
select * into base.main.x from sales.orders
select * from sales.orders for update
select * from sales.orders for share
select * from sales.orders for update of orders nowait
select * from sales.orders for key share skip locked
select * from sales.orders using sample (select 1)
select * from sales.orders positional join base.main.orders
select * from sales.orders positional join (from base.main.orders)
select * from sales.orders asof join base.main.orders using (order_id)
select * from sales.orders asof left join base.main.orders b on orders.order_id >= b.order_id
select * from sales.orders join lateral (from base.main.orders) on true
select * from sales.orders, lateral base.main.orders
select * from sales.orders natural join base.main.orders
select * from sales.orders anti join base.main.orders using (order_id)
select * from sales.orders at (version => 1)
select * from sales.orders at (timestamp => now())
select * from sales.orders at (version => (select 1))
select * from sales.orders at (note => 1)
select * from sales.orders with ordinality
select * from range((select max(note) from base.main.orders))
select * from unnest((from base.main.orders select list(note)))
from json_tree((select to_json(list(note)) from base.main.orders))
select * from main.json_each('[1]')
select * from rowid
with "sales.orders" as (select 1) select * from "sales.orders"
with recursive r(n) as (select note from base.main.orders union all select n from r) select * from r
with a as materialized (from base.main.orders) from a
with a as (from sales.orders), a as (from base.main.orders) from a
with a as (describe base.main.orders) from a
with a as (show tables) from a
with a as (pragma show_tables) from a
with a as (call duckdb_tables()) from a
with a as (copy base.main.orders to 'x') from a
with a as (explain select 1) from a
with a as (insert into sales.orders values (1) returning *) from a
with a as (merge into sales.orders using sales.orders on true when matched then delete returning *) from a
with macro m(x) as (x) select m(1)
with function m(x) as x select m(1)
-- clauses
select * from sales.orders limit (select count(*) from base.main.orders)
select * from sales.orders offset (select max(order_id) from base.main.orders)
select * from sales.orders fetch first 1 row with ties
select * from sales.orders group by grouping sets ((select note from base.main.orders))
select * from sales.orders group by cube ((select note from base.main.orders))
select region, count(*) from sales.orders group by grouping sets ((), (region), (cube (region)))
select * from sales.orders order by note using >
select * from sales.orders order by (select note from base.main.orders limit 1)
select distinct on ((select note from base.main.orders)) * from sales.orders
select * from sales.orders window w as (partition by (select note from base.main.orders))
select sum(amount) over (rows between (select count(*) from base.main.orders) preceding and current row) from sales.orders
select * from sales.orders qualify (select note from base.main.orders limit 1) is not null
select * from sales.orders where (note, 1) in (from base.main.orders select note, 1)
select * from sales.orders where note = some (from base.main.orders select note)
select * from sales.orders where exists from base.main.orders
select * from sales.orders where unique (from base.main.orders)
select * from sales.orders where current of c
select (from base.main.orders select max(note))
select [note for note in (from base.main.orders select list(note))]
select {'a': (from base.main.orders select max(note))}
select map {(from base.main.orders select max(note)): 1}
select (from base.main.orders select max(note)).upper()
select array(from base.main.orders select note)
select cast((from base.main.orders select max(note)) as date)
select (from base.main.orders select max(note)) collate nocase
select (from base.main.orders select max(note)) at time zone 'UTC'
select interval (from base.main.orders select max(order_id)) day
select extract(year from (from base.main.orders select max(note))::date)
select trim(both (from base.main.orders select max(note)) from 'x')
select position((from base.main.orders select max(note)) in 'x')
select overlay('a' placing (from base.main.orders select max(note)) from 1)
select substring('a' from (from base.main.orders select max(order_id)))
select try((from base.main.orders select max(note)))
select case (from base.main.orders select max(note)) when 'x' then 1 end
select '{}'::json->>(from base.main.orders select max(note))
select x -> (from base.main.orders select max(note)) from sales.orders
select list_transform([1], x -> (from base.main.orders select max(note)))
select columns(lambda c: (select count(*) from base.main.orders) > 0) from sales.orders
select columns(c -> getenv(c) is not null) from sales.orders
select * replace ((select max(note) from base.main.orders) as note) from sales.orders
select * exclude (note) replace (getenv('HOME') as region) from sales.orders
-- pivots
pivot sales.orders on region using count(*)
pivot sales.orders on region in (select region from base.main.orders) using count(*)
pivot sales.orders on (select note from base.main.orders) in ('x') using count(*)
pivot sales.orders on region in ('EU') using max((select max(note) from base.main.orders))
pivot sales.orders on region in ('EU') using getenv('HOME')
pivot sales.orders on region in ('EU') using error(note)
pivot base.main.orders on region in ('EU') using count(*)
pivot (from base.main.orders) on region in ('EU') using count(*)
pivot sales.orders on region in region_enum using count(*)
select * from sales.orders pivot (count(*) for region in (any order by note))
unpivot base.main.orders on note into name n value v
unpivot sales.orders on (getenv('HOME')) into name n value v
pivot_longer sales.orders on note, region into name n value v
-- statements within and behind
from (describe base.main.orders)
from (summarize base.main.orders)
from (summarize pin_sales__orders)
from (show tables)
from (show databases)
from (pragma database_list)
from (call duckdb_databases())
from (explain from base.main.orders)
from (set x = 1)
from (insert into sales.orders values (1) returning *)
select * from (describe select * from base.main.orders)
summarize base.main.orders
summarize pin_sales__orders
summarize 'canary.csv'
summarize table base.main.orders
summarize tables
summarize (from base.main.orders)
describe base.main.orders
describe pin_sales__orders
describe 'canary.csv'
describe tables
describe select getenv('HOME')
describe (from base.main.orders)
desc query('from base.main.orders')
show base.main.orders
show all tables
show tables from base
show pin_sales__orders
explain from base.main.orders
explain analyze from sales.orders
explain (analyze, format json) from sales.orders
explain copy sales.orders to 'x'
explain pragma table_info(error('x'))
explain select getenv('HOME')
select * from sales.orders; describe base.main.orders
select 1 where false union describe base.main.orders
from sales.orders |> where true
from sales.orders insert into x
select 1 union by name from base.main.orders
select * from sales.orders union all by name from base.main.orders
(from base.main.orders) union all from sales.orders
((from sales.orders) except all (from base.main.orders))
values ((select max(note) from base.main.orders))
values (getenv('HOME'))
load 'x'
use base
vacuum
analyze base.main.orders
set variable x = (select 1)
reset all
alter session set x = 1
declare c cursor for select 1
fetch all from c
listen x
lock table sales.orders
grant select on sales.orders to x
do $$ begin end $$
begin; select 1
;
;;
-- calls
select base.main.mac('x')
select base.mac('x')
select mac('x')
select "upper"('a')
select "UPPER"('a')
select note.mac() from sales.orders
select note.getenv() from sales.orders
select note.upper().getenv() from sales.orders
select upper(note).lower().stats() from sales.orders
select list_aggr([1], 'error')
select list_aggr([1], 'base.main.mac')
select list_aggr(['a'], 'sum' || '_no_overflow')
select list_aggr([1], (select 'sum'))
select list_aggr([1], note) from sales.orders
select list_aggr(name := 'error', l := [1])
select list_aggr([1], name := 'sum_no_overflow')
select list_aggr([1], $x)
select list_aggregate([1], 'SUM_NO_OVERFLOW')
select [1].aggregate('finalize')
select array_aggregate([1], e'sum_no_overflow')
select finalize(sum(amount) export_state) from sales.orders
select operator(pg_catalog.+)(1, 2)
select 1 operator(pg_catalog.+) 2
select "+"(1, 2)
select "||"(note, 'x') from sales.orders
select "~~"(note, 'x') from sales.orders
select count_star() from sales.orders
select unpivot_list(1, 2)
select nextval('base.main.sq')
select nextval(note) from sales.orders
select currval('sq')
select cast_to_type('1', 1)
select make_type('base.main.mood')
select enum_range(null::base.main.mood)
select null::base.main.mood
select null::mood
select cast(1 as "base"."mood")
select try_cast('a' as mood)
select cast(note as enum(select note from base.main.orders)) from sales.orders
select null::struct(a mood)
select null::mood[]
select null::map(varchar, mood)
select null::union(a mood)
select note collate "de" from sales.orders
select note collate getenv('x') from sales.orders
select now() at time zone (select note from base.main.orders limit 1)
select extract((select 'year') from now())
select extract("year from base.main.orders --" from now())
select date_part((select note from base.main.orders limit 1), now())
select interval 1 day from base.main.orders
select sum(distinct note order by note) filter (where getenv(note) is null) over (partition by note) from sales.orders
select first_value(note ignore nulls) over (partition by getenv('x')) from sales.orders
select count(*) filter (where (select max(note) from base.main.orders) > '') from sales.orders
select quantile_cont(amount, (select max(order_id) from base.main.orders)) within group (order by note) from sales.orders
select mode() within group (order by error(note)) from sales.orders
select listagg(note) within group (order by note) from sales.orders
select rank(1) within group (order by note) from sales.orders
select grouping(getenv('x')) from sales.orders group by all
select try(error(note)) from sales.orders
select if(true, getenv('x'), 1)
select coalesce(getenv('x'))
select list_transform([1], (x, y) -> getenv(x))
select list_transform([1], lambda x, y: getenv(x))
select list_reduce(['a'], lambda acc, x: acc || getenv(x))
select [getenv(x) for x in ['HOME']]
select [x for x in ['HOME'] if stats(x) is null]
select {'a': getenv('x')}.a
select map {'a': getenv('x')}['a']
select (select getenv('x'))
select current_user
select session_user
select current_role
select current_catalog
select "current_catalog"
select "CURRENT_SCHEMA"
select current_schema
select current_schemas(true)
select current_database()
select current_catalog from sales.orders
select upper(current_schema)
select current_schema.upper()
select {'a': current_schema}
select * replace (current_schema as note) from sales.orders
select list_transform([1], lambda x: current_catalog)
select count(*) from sales.orders group by current_schema
select localtime()
select version()
select setseed(0.5)
select json_serialize_sql('select 1')
select json_execute_serialized_sql(json_serialize_sql('from base.main.orders'))
select json_transform('{"a":1}', '{"a":"base.main.mood"}')
select from_json('1', '"mood"')
select st_geomfromwkb('x')
select st_astext(null)
select write_log('x')
select parse_duckdb_log_message('x', 'y')
select which_secret('s3://', 's3')
select can_cast_implicitly(note, 1) from sales.orders
select create_sort_key(note, 'asc') from sales.orders
select icu_sort_key(note, 'de') from sales.orders
select icu_collate_de(note) from sales.orders
select __internal_compress_string_ubigint(note) from sales.orders
select remap_struct(o, o, {}, {}) from sales.orders o
select variant_bytes_to_variant('x')
select sleep_ms(100)
select pg_sleep(1)
select checkpoint()
select copy_database()
select pragma_version()
select duckdb_tables()
select enum_first(region) from sales.orders
select has_table_privilege('base.main.orders', 'select')
select pg_get_viewdef(1)
select obj_description(1, 'x')
select format_type(1, 1)
select txid_current()
select inet_client_addr()
-- samples, statistics
select * from sales.orders tablesample reservoir(5 rows) repeatable (1)
select * from sales.orders using sample 5 rows (reservoir, 3)
select bitstring_agg(order_id) from sales.orders
select bitstring_agg(order_id, 1, 3000) from sales.orders
select list_aggr([1, 2], 'bitstring_agg')
-- capture, summaries
select {fn getenv('HOME')}
select {fn query('x')} from sales.orders
select from_json(note, '{"a": ["mood"]}') from sales.orders
select json_transform_strict('1', 'not json')
select from_json('1', '"' || 'INTEGER"')
