-- Per day and region: what was shown and clicked, and how many different persons saw it.
SELECT
    CAST(i.occurred_at AS DATE) AS day,
    p.region AS region,
    count(*) AS impressions,
    count(c.impression_id) AS clicks,
    count(DISTINCT i.person_id) AS reach,
    round(CAST(count(*) AS DOUBLE) / CAST(count(DISTINCT i.person_id) AS DOUBLE), 4) AS frequency,
    CAST(sum(i.cost_micros) AS BIGINT) AS cost_micros
FROM events.impressions AS i
JOIN audiences.persons AS p ON p.person_id = i.person_id
LEFT JOIN events.clicks AS c ON c.impression_id = i.impression_id
GROUP BY CAST(i.occurred_at AS DATE), p.region
ORDER BY day, region
