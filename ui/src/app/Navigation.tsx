import { Button, Group, Menu } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link, useLocation } from "react-router";

import type { Permission } from "../api/access";
import { may, useSession } from "./session";

interface Place {
  to: string;
  name: string;
  needs: Permission;
}

/** What people come for. */
const main: readonly Place[] = [
  { to: "/", name: "worklist", needs: "view" },
  { to: "/retrieve", name: "retrieve", needs: "store" },
  { to: "/quality", name: "quality", needs: "quality" },
];

/** What keeps it running. */
const administration: readonly Place[] = [
  { to: "/admin/jobs", name: "jobs", needs: "operate" },
  { to: "/admin/forwards", name: "forwards", needs: "operate" },
  { to: "/admin/deliveries", name: "deliveries", needs: "operate" },
  { to: "/admin/peers", name: "peers", needs: "operate" },
  { to: "/admin/routes", name: "routes", needs: "operate" },
  { to: "/admin/storage", name: "storage", needs: "operate" },
  { to: "/admin/models", name: "models", needs: "operate" },
  { to: "/admin/health", name: "health", needs: "operate" },
  { to: "/admin/institutions", name: "institutions", needs: "manage" },
  { to: "/admin/accounts", name: "accounts", needs: "manage" },
  { to: "/admin/audit", name: "audit", needs: "audit" },
];

/** The places that the account may go to; nothing that it may not, and nothing that does not work. */
export function Navigation() {
  const { t } = useTranslation();
  const session = useSession();
  const { pathname } = useLocation();
  const open = (place: Place) => may(session, place.needs);
  const here = (to: string) => (to === "/" ? pathname === "/" || pathname.startsWith("/studies") : pathname.startsWith(to));
  const places = administration.filter(open);
  return (
    <Group component="nav" gap={2} wrap="nowrap" aria-label={t("nav.label")} className="nav">
      {main.filter(open).map(({ to, name }) => (
        <Button
          key={to}
          component={Link}
          to={to}
          size="xs"
          variant={here(to) ? "light" : "subtle"}
          color={here(to) ? "hilum" : "gray"}
          aria-current={here(to) ? "page" : undefined}
        >
          {t(`nav.${name}`)}
        </Button>
      ))}
      {places.length > 0 && (
        <Menu position="bottom-start" width={220} withinPortal>
          <Menu.Target>
            <Button size="xs" variant={here("/admin") ? "light" : "subtle"} color={here("/admin") ? "hilum" : "gray"} rightSection="▾">
              {t("nav.administration")}
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            {places.map(({ to, name }) => (
              <Menu.Item key={to} component={Link} to={to}>
                {t(`nav.${name}`)}
              </Menu.Item>
            ))}
          </Menu.Dropdown>
        </Menu>
      )}
    </Group>
  );
}
