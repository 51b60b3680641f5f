-- One statement per line. Governed, each must give what it gives on the tables themselves: rows and column names.
select * from events.impressions
from events.impressions
from events.impressions select person_id where cost > 2
table audiences.persons
select impressions.person_id from events.impressions
select events.impressions.person_id from events.impressions
select EVENTS.Impressions.PERSON_ID from Events.IMPRESSIONS
select "events"."impressions"."person_id" from "Events"."Impressions"
select events.impressions.device.os, impressions.device.size.w, device.size.h from events.impressions
select events.impressions.device['os'] from events.impressions
select events.impressions.tags[1], (impressions.device).os from events.impressions
select i.device.size.w, i.device['os'], device.os from events.impressions i
select i.* from events.impressions as i
select impressions from events.impressions
select i from events.impressions i
select * exclude (payload, tags) from events.impressions
select * exclude (payload) replace (cost * 2 as cost) from events.impressions
select * rename (cost as euros) from events.impressions
select i.* exclude (cost), p.* replace (upper(region) as region) from events.impressions i join audiences.persons p using (person_id)
select columns('.*_id') from events.impressions
select columns(c -> c like 'p%') from events.impressions
select columns(lambda c: c like 'p%') from events.impressions
select columns(* exclude (payload, tags, device)) from events.impressions
select max(columns(* exclude (payload, tags, device))) from events.impressions
select * like 'p%' from events.impressions
select coalesce(*columns(['person_id', 'film'])) from events.impressions
select a.person_id, b.film from events.impressions a, events.impressions b where a.impression_id = b.impression_id + 1
select a.person_id from events.impressions a join events.impressions b using (impression_id)
select * from events.impressions natural join audiences.persons
select person_id, region, count(*) from events.impressions full join audiences.persons using (person_id) group by all
select * from events.impressions left join audiences.persons using (person_id)
select * from events.impressions right join audiences.persons using (person_id)
select * from events.impressions semi join audiences.persons using (person_id)
select * from events.impressions anti join audiences.persons using (person_id)
select * from audiences.persons positional join creatives.films
select i.impression_id, p.region from events.impressions i asof join audiences.persons p on i.person_id = p.person_id and i.ts >= p.joined
select count(*) from events.impressions cross join audiences.persons
select count(*) from (events.impressions join audiences.persons using (person_id))
select p.a, p.b from audiences.persons p(a, b)
select * from p: audiences.persons
select i.impression_id, l.m from events.impressions i, lateral (select max(age) m from audiences.persons p where p.person_id = i.person_id) l
select i.impression_id, l.m from events.impressions i, (select max(age) m from audiences.persons p where p.person_id = i.person_id) l
select impression_id from events.impressions where exists (select 1 from audiences.persons p where p.person_id = impressions.person_id and p.age > 30)
select impression_id from events.impressions where exists (from audiences.persons p where p.person_id = events.impressions.person_id)
select impression_id from events.impressions where person_id in (select person_id from audiences.persons where region = 'EU')
select impression_id from events.impressions where person_id not in (from audiences.persons select person_id where region = 'EU')
select impression_id, person_id = any(select person_id from audiences.persons) from events.impressions
select (select max(age) from audiences.persons) - age from audiences.persons
select region, (select count(*) from events.impressions i where i.person_id = p.person_id) n from audiences.persons p
select region, sum(age) filter (where age > 20) from audiences.persons group by region
select region, count(*) from audiences.persons group by all having count(*) > 1 order by all
select region, count(*) n from audiences.persons group by 1 order by n desc, 1 limit 1
select region, age, count(*) from audiences.persons group by rollup(region, age)
select region, age, count(*) from audiences.persons group by cube(region, age)
select region, grouping(region), count(*) from audiences.persons group by grouping sets ((region), ())
select distinct region from audiences.persons
select distinct on (region) region, age from audiences.persons order by region, age
select region, rank() over (partition by region order by age desc) r from audiences.persons qualify r = 1
select person_id, lag(age) over w, lead(age, 1, 0) over w, first_value(age) over w from audiences.persons window w as (partition by region order by age)
select sum(cost) over (order by impression_id rows between 1 preceding and current row) from events.impressions
select sum(cost) over (order by impression_id rows 2 preceding) from events.impressions
select sum(cost) over (order by ts range between interval 1 day preceding and current row) from events.impressions
select last_value(age ignore nulls) over (order by person_id) from audiences.persons
select sum(age) over (order by person_id groups between 1 preceding and 1 following exclude ties) from audiences.persons
with a as (select * from events.impressions) select count(*) from a
with a as (from events.impressions), b as (select person_id from a) select * from b
with a(x) as (select region from audiences.persons) select x from a
with a as materialized (select region from audiences.persons) select * from a union all select * from a
with impressions as (select 1 as x) select * from impressions, events.impressions i
with events as (select 1 as x) select events.x from events
with recursive r as (select 1 n union all select n + 1 from r where n < 5) select n from r
with recursive r(n, p) as (select 1, 'p1' union all select n + 1, i.person_id from r join events.impressions i on i.impression_id = r.n where n < 5) select * from r
with a as (select 1 n), b as (with a as (select n + 1 n from a) select n from a) select n from b
select * from (with a as (select region from audiences.persons) from a)
select region from audiences.persons union select film from events.impressions
select region from audiences.persons union all select film from events.impressions order by 1 limit 4
select person_id, age from audiences.persons union all by name select film, person_id from events.impressions
select person_id from audiences.persons except select person_id from events.impressions
select person_id from audiences.persons intersect all select person_id from events.impressions
(select region from audiences.persons) union (select film from events.impressions)
values (1, 'a'), (2, 'b')
select * from (values (1, 'a'), (2, 'b')) v(i, s)
select * from range(3) r(i), generate_series(1, 2) g(j)
select unnest([1, 2, 3]) as x
select impression_id, unnest(tags) from events.impressions
select impression_id, t.tag from events.impressions, unnest(tags) t(tag)
select impression_id, t.tag, t.n from events.impressions i, unnest(i.tags) with ordinality t(tag, n)
select impression_id, u.x from events.impressions cross join unnest(tags) u(x)
select impression_id, u.x from events.impressions left join unnest(tags) u(x) on true
select unnest(device) from events.impressions
select unnest(device, recursive := true) from events.impressions
select list_transform(tags, x -> upper(x)), list_transform(tags, lambda x, i: x || i) from events.impressions
select [x || film for x in tags if x <> 'b'] from events.impressions
select tags[1], tags[-1], tags[1:2], tags[:impression_id], tags[2:] from events.impressions
select tags.list_transform(x -> x || '!').len(), film.upper() from events.impressions
select {'a': film, 'b': {'c': cost}}.b.c, struct_pack(a := film).a, row(film, cost) from events.impressions
select map {'a': cost}['a'], map([film], [cost]) from events.impressions
select payload ->> 'k', payload -> 'o' ->> 'a', payload ->> '$.o.a', payload ->> 'a.b', payload -> 'l' -> 0, payload->>'/o/a' from events.impressions
select (payload ->> 'k') || 'x' from events.impressions where (payload ->> 'k') is not null
select json_extract_string(payload, ['k', '$.o.a']), to_json(device) from events.impressions
select film ~ 'f.*', film !~ 'f1', film like 'f_', film not like 'f1', film ilike 'F%', film glob 'f*', film similar to 'f.', starts_with(film, 'f'), film ^@ 'f' from events.impressions
select position('1' in film), substring(film from 1 for 1), substring(film, 1, 1), trim(both 'f' from film), trim(leading 'f' from film), extract(year from ts), extract('month' from ts) from events.impressions
select cast(cost as integer), try_cast(film as integer), cost::decimal(10, 2), ts::date, film::varchar(3), (age)::hugeint from events.impressions, audiences.persons
select date '2026-01-01' + interval 3 days, timestamp '2026-01-01 10:00:00' - interval '1 hour', interval (impression_id) day, interval '1 year 2 months' from events.impressions
select ts + interval 1 day, date_trunc('day', ts), strftime(ts, '%Y-%m'), ts at time zone 'UTC' is not null, date_diff('day', ts, timestamp '2026-02-01') from events.impressions
select age + 1, age - 1, age * 2, age / 2, age // 2, age % 2, age ** 2, age ^ 2, -age, +age, age & 1, age | 1, age << 1, age >> 1, ~age, xor(age, 1) from audiences.persons
select age is null, age is not null, age isnull, age notnull, age is distinct from 30, age is not distinct from 30, age between 20 and 30, age not between 20 and 30, age in (1, 2), age not in (20, 30), not age > 1 and true or false from audiences.persons
select not (age is null), (not age is null) = true, (age is null) is not true, age > 1 is not false from audiences.persons
select case when age > 30 then 'old' else 'young' end, case region when 'EU' then 1 end, if(age > 30, 1, 0), coalesce(age, 0), ifnull(age, 0), nullif(region, 'EU'), greatest(age, 1), least(age, 1) from audiences.persons
select 1 + 2 * 3, (1 + 2) * 3, 2 - (3 - 4), 2 - 3 - 4, - - 1, -(-1), 8 / 2 / 2, 8 / (2 / 2), 1 || 2 || 3
select string_agg(film, ', ' order by impression_id), string_agg(distinct film, ',' order by film), list(film order by impression_id desc), array_agg(distinct film order by film), group_concat(film, ';' order by impression_id), any_value(region order by region) from events.impressions join audiences.persons using (person_id)
select count(*), count(distinct region), sum(distinct age), avg(age), median(age), quantile_cont(age, 0.5), quantile_cont(age, [0.1, 0.9]), mode(region order by region), approx_count_distinct(region), max(age, 2), arg_max(region, age), max_by(region, age), min_by(region, age), first(region order by person_id), bool_and(age > 1), histogram(region), count_if(age > 30) from audiences.persons
select percentile_cont(0.5) within group (order by age), percentile_disc(0.25) within group (order by age desc), mode() within group (order by region) from audiences.persons
select region, list(struct_pack(a := age, p := person_id) order by age) from audiences.persons group by region
select array(select region from audiences.persons order by 1), array[1, 2], [1, 2], list_value(1, 2)
select 'it''s', e'a\nb\'c', $$it's$$, $x$a$x$, '\', 'a\nb', 1e3, .5, 1_000, 0xff, true, null, '' as "a ""quoted"" name"
select film as "select", cost "group", person_id as "a b" from events.impressions order by "select", "group"
select count(*) filter (where cost > 1) as "n" from events.impressions having "n" > 0
select * from (pivot audiences.persons on region in ('EU', 'US') using sum(age) group by person_id) order by 1
select * from audiences.persons pivot (sum(age) as total, count(*) as n for region in ('EU', 'US') group by person_id)
pivot audiences.persons on region in ('EU', 'US') using count(*)
unpivot (select person_id, age, age * 2 as twice from audiences.persons) on age, twice into name what value n
select * from (unpivot audiences.persons on columns(* exclude (person_id, region, joined)) into name what value n)
select * from audiences.persons unpivot include nulls (n for what in (age))
summarize audiences.persons
summarize select region from audiences.persons
select * from audiences.persons tablesample 100%
select count(*) from audiences.persons using sample 2
select count(*) from audiences.persons tablesample reservoir(2 rows)
select count(*) from audiences.persons tablesample bernoulli(100%) repeatable (3)
select count(*) from audiences.persons tablesample system (100 percent)
select count(*) from audiences.persons p using sample 100 percent (bernoulli)
select region from audiences.persons order by age desc nulls last, region nulls first limit 2 offset 1
select region from audiences.persons order by person_id limit 50%
select region from audiences.persons order by person_id fetch first 2 rows only
select age as a, a + 1 as b, b * 2 as c from audiences.persons where b > 20
select region as r, count(*) from audiences.persons group by r having r = 'EU'
select #1, #2 from audiences.persons
select films.impressions.x from creatives.films
select impressions.x from creatives.films
select events.impressions.person_id from events.impressions where exists (select 1 from creatives.films where films.impressions.x > 0)
select (select max(archive.impressions.cost) from archive.impressions) from audiences.persons
select governed_0.age from audiences.persons governed_0
select "governed_0" from (select age as governed_0 from audiences.persons) governed_1
select getvariables from (select 1 as getvariables)
select region from audiences.persons where age > $least and region = $region
select $least + age, $least from audiences.persons
select $region as "$region"
select hash(region) is not null, sha256(region), md5(region), random() between 0 and 1, uuid() is not null from audiences.persons
select current_date is not null, now() is not null, current_timestamp is not null, today() is not null, localtime is not null
select format('{}-{}', region, age), printf('%d', age), concat(region, '-', age), concat_ws(',', region, region), region || '-' || age from audiences.persons
select try(1 / age), typeof(age), typeof(tags) from audiences.persons, events.impressions
select region collate nocase = 'eu' from audiences.persons order by region collate nocase
select exists(from audiences.persons), not exists (from audiences.persons where false)
select (1, 2) = (1, 2), (region, age) in (('EU', 30), ('US', 25)) from audiences.persons
select x.age from audiences.persons x where x.age > all (select age - 10 from audiences.persons)
select tags && ['a'], tags @> ['a'], ['a'] <@ tags, list_contains(tags, 'a') from events.impressions
select region, age from audiences.persons order by (select max(cost) from events.impressions), 1, 2
select region from audiences.persons limit (select 2)
select person_id from audiences.persons where age = (select max(age) from audiences.persons q where q.region = persons.region)
select film from events.impressions where payload ->> 'k' = 'v1'
select film from events.impressions where (payload ->> 'a.b') = 'dotted' and (payload -> 'o' ->> 'a')::int > 3
select film from events.impressions where (payload ->> 'k') not in ('v1', 'v2') and not (payload ->> 'k') like 'v3'
select impression_id >> 1 = 2, 1 <> impression_id << 2, impression_id & 3 = 1, impression_id | 1 > 3, -impression_id ** 2, - ~ impression_id, impression_id % 2 == 0 from events.impressions
select film not in ('f1'), film not between 'a' and 'b', film not similar to 'f1' from events.impressions
select sum((select max(age) from audiences.persons)) over w from audiences.persons window w as (order by age)
select (select 1) x, (select max(age) from audiences.persons) y from audiences.persons
select e.key, e.value from events.impressions, json_each(payload) e order by 1, 2
select i.impression_id, e.key, e.atom from events.impressions i, lateral json_tree(i.payload) e where e.atom is not null
select list_aggregate(tags, 'count'), tags.list_aggr('MAX'), array_aggr([1, 2], 'sum') from events.impressions
select from_json(payload, '{"k": "VARCHAR", "l": ["INTEGER"]}'), json_transform(payload, '{"o": "JSON"}') from events.impressions
select "user", events.impressions.film from (select 'u' as user) u, events.impressions
select f.current_schema from (select 1 as current_schema) f
select sum(cost) over (order by impression_id groups between 1 preceding and 1 following exclude group) from events.impressions
with recursive r(n) using key (n) as (select 1 union select n + 1 from r where n < 3) select * from r
