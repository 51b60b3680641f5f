-- What every person was shown and clicked; persons who were shown nothing are kept.
SELECT
    p.person_id AS person_id,
    p.region AS region,
    CAST(p.birth_year // 10 * 10 AS INTEGER) AS birth_decade,
    p.consent_measurement AS consent_measurement,
    p.consent_collaboration AS consent_collaboration,
    coalesce(i.impressions, 0) AS impressions,
    coalesce(c.clicks, 0) AS clicks,
    coalesce(i.active_days, 0) AS active_days,
    i.first_shown_on AS first_shown_on,
    i.last_shown_on AS last_shown_on,
    CASE
        WHEN i.impressions IS NULL THEN 'unseen'
        WHEN i.impressions < 10 THEN 'light'
        WHEN i.impressions < 30 THEN 'medium'
        ELSE 'heavy'
    END AS exposure
FROM audiences.persons AS p
LEFT JOIN (
    SELECT
        person_id,
        count(*) AS impressions,
        count(DISTINCT CAST(occurred_at AS DATE)) AS active_days,
        min(CAST(occurred_at AS DATE)) AS first_shown_on,
        max(CAST(occurred_at AS DATE)) AS last_shown_on
    FROM events.impressions
    GROUP BY person_id
) AS i ON i.person_id = p.person_id
LEFT JOIN (
    SELECT person_id, count(*) AS clicks
    FROM events.clicks
    GROUP BY person_id
) AS c ON c.person_id = p.person_id
ORDER BY person_id
