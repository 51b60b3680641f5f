-- One or two in a hundred impressions are clicked, those beside a search more often; the impression's number decides.
SELECT
    m.impression_id AS impression_id,
    m.occurred_at + to_seconds(2 + m.draw // 1000 % 120) AS clicked_at,
    m.person_id AS person_id,
    m.creative_file_id AS creative_file_id,
    m.placement AS placement,
    2 + m.draw // 1000 % 120 AS seconds_to_click
FROM (
    SELECT
        t.impression_id, t.occurred_at, t.person_id, t.creative_file_id, t.placement, t.viewable,
        xor(t.x, t.x >> 16) AS draw
    FROM (
        SELECT
            o.impression_id, o.occurred_at, o.person_id, o.creative_file_id, o.placement, o.viewable,
            xor(o.x, o.x >> 16) * 73244475 % 4294967296 AS x
        FROM (
            SELECT
                i.impression_id, i.occurred_at, i.person_id, i.creative_file_id, i.placement, i.viewable,
                xor(i.impression_id * 5 + 4, (i.impression_id * 5 + 4) >> 16) * 73244475 % 4294967296 AS x
            FROM events.impressions AS i
        ) AS o
    ) AS t
) AS m
WHERE m.viewable AND m.draw % 1000 < CASE m.placement WHEN 'search' THEN 34 WHEN 'newsletter' THEN 22 ELSE 14 END
